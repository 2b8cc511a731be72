//! The tables of FreeRADIUS's SQL module, and what daloRADIUS keeps beside them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use model::Secret;

use super::dump::{self, DumpError, Row};
use super::pairs::{Item, Op, Place, untagged};
use super::source::{Client, Person, ReadError, Source};

const TABLES: [&str; 8] = [
    "radcheck",
    "radreply",
    "radgroupcheck",
    "radgroupreply",
    "radusergroup",
    "nas",
    "radacct",
    "userinfo",
];

/// Reads a dump.
pub(super) fn read(path: &Path, source: &mut Source) -> Result<(), ReadError> {
    let failed = |error| ReadError::Read { path: path.to_owned(), source: error };
    let file = File::open(path).map_err(failed)?;
    let name: Arc<str> = path.display().to_string().into();
    let mut tables = Tables { name: name.clone(), source };
    let input = BufReader::with_capacity(256 * 1024, file);
    dump::read(input, &TABLES, &mut |table, row| tables.row(table, &row)).map_err(|error| {
        match error {
            DumpError::Read(error) => failed(error),
            DumpError::Syntax { line, problem } => {
                ReadError::line(&Place { file: name.clone(), line }, problem)
            }
        }
    })
}

struct Tables<'s> {
    name: Arc<str>,
    source: &'s mut Source,
}

impl Tables<'_> {
    fn row(&mut self, table: &str, row: &Row<'_>) {
        let place = Place { file: self.name.clone(), line: row.line };
        let text = |column: &str| row.text(column).filter(|text| !text.is_empty());
        match table {
            "radcheck" | "radreply" => {
                let Some(login) = text("username") else {
                    return self.source.note(&place, format!("a row of {table} names nobody"));
                };
                if let Some(item) = self.item(table, row, &place) {
                    self.source.row(&login, table == "radcheck", item);
                }
            }
            "radgroupcheck" | "radgroupreply" => {
                let Some(group) = text("groupname") else {
                    return self.source.note(&place, format!("a row of {table} names no group"));
                };
                if let Some(item) = self.item(table, row, &place) {
                    let group = self.source.groups.entry(group).or_default();
                    let items =
                        if table == "radgroupcheck" { &mut group.check } else { &mut group.reply };
                    items.push(item);
                }
            }
            "radusergroup" => {
                let (Some(login), Some(group)) = (text("username"), text("groupname")) else {
                    return self.source.note(&place, "a row of radusergroup is incomplete");
                };
                let priority = text("priority").and_then(|text| text.parse().ok()).unwrap_or(0);
                self.source.memberships.entry(login).or_default().push((priority, group));
            }
            "nas" => {
                let Some(address) = text("nasname") else {
                    return self.source.note(&place, "a row of nas has no nasname");
                };
                let requires = text("require_ma").is_some_and(|word| {
                    ["yes", "1", "true", "on"].iter().any(|yes| word.eq_ignore_ascii_case(yes))
                });
                self.source.clients.push(Client {
                    name: text("shortname").unwrap_or_else(|| address.clone()),
                    address,
                    secret: text("secret").map(Secret::new),
                    kind: text("type"),
                    requires_signature: requires,
                    place,
                });
            }
            "radacct" => {
                self.source.history.0 += 1;
                let ended = text("acctstoptime").is_some_and(|text| !text.starts_with("0000"));
                self.source.history.1 += u64::from(!ended);
            }
            "userinfo" => {
                let Some(login) = text("username") else { return };
                let name: Vec<String> =
                    ["firstname", "lastname"].into_iter().filter_map(text).collect();
                let person = Person {
                    name: if name.is_empty() { text("company") } else { Some(name.join(" ")) },
                    email: text("email"),
                    phone: text("mobilephone").or_else(|| text("homephone")),
                };
                self.source.people.insert(login, person);
            }
            _ => {}
        }
    }

    fn item(&mut self, table: &str, row: &Row<'_>, place: &Place) -> Option<Item> {
        let attribute = row.text("attribute").filter(|text| !text.is_empty());
        let Some(attribute) = attribute else {
            self.source.note(place, format!("a row of {table} names no attribute"));
            return None;
        };
        // FreeRADIUS takes a missing operator for == in checks and = in replies.
        let is_check = table.ends_with("check");
        let op = match row.text("op").filter(|text| row.has("op") && !text.trim().is_empty()) {
            None if is_check => Op::Equal,
            None => Op::Default,
            Some(text) => match Op::of_text(&text) {
                Some(op) => op,
                None => {
                    let note = format!("{attribute} in {table} has the operator {text:?}");
                    self.source.note(place, note);
                    return None;
                }
            },
        };
        let value = row.text("value").unwrap_or_default();
        let expanded = value.starts_with('`') || value.contains("%{");
        let attribute = untagged(attribute.trim()).to_owned();
        Some(Item { attribute, op, value, expanded, place: place.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_read_into_its_place() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let dump = "\
            INSERT INTO radcheck (username, attribute, op, value) VALUES
              ('bob', 'Cleartext-Password', ':=', 'hush'), ('bob', 'Simultaneous-Use', '', '1');
            INSERT INTO radreply (username, attribute, op, value) VALUES
              ('bob', 'Tunnel-Type:1', '=', 'VLAN'), ('bob', 'X', '?', 'y'), ('', 'X', '=', 'y');
            INSERT INTO radgroupreply (groupname, attribute, op, value) VALUES
              ('gold', 'Framed-Pool', ':=', 'p1');
            INSERT INTO radusergroup (username, groupname, priority) VALUES ('bob', 'gold', 7);
            INSERT INTO nas (nasname, shortname, type, secret) VALUES ('192.0.2.1', 't1', 'other', 's');
            INSERT INTO radacct (username, acctstoptime) VALUES ('bob', NULL), ('bob', '2024-01-01');
            INSERT INTO userinfo (username, firstname, lastname, email) VALUES
              ('bob', 'Bob', 'Example', 'bob@example.net');\n";
        std::fs::write(file.path(), dump).unwrap();
        let mut source = Source::default();
        read(file.path(), &mut source).unwrap();
        let bob = &source.rows["bob"];
        assert_eq!((bob.check.len(), bob.reply.len()), (2, 1));
        assert_eq!(bob.check[1].op, Op::Equal, "a check without an operator compares");
        assert_eq!(bob.reply[0].attribute, "Tunnel-Type");
        assert_eq!(source.groups["gold"].reply[0].value, "p1");
        assert_eq!(source.memberships["bob"], [(7, "gold".to_owned())]);
        assert_eq!(source.clients[0].name, "t1");
        assert_eq!(source.history, (2, 1));
        assert_eq!(source.people["bob"].name.as_deref(), Some("Bob Example"));
        let notes: Vec<_> = source.notes.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].contains("X in radreply has the operator \"?\""), "{notes:?}");
        assert!(notes[1].contains("names nobody"), "{notes:?}");
    }
}
