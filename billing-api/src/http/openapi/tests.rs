use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::super::NEEDS;
use super::*;

/// Every text behind a `$ref`.
fn references(value: &Json, found: &mut BTreeSet<String>) {
    match value {
        Json::Object(map) => {
            if let Some(Json::String(to)) = map.get("$ref") {
                found.insert(to.clone());
            }
            map.values().for_each(|value| references(value, found));
        }
        Json::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

fn operations(document: &Json) -> Vec<(String, String, &Json)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(pattern, path)| {
        let methods = path.as_object().unwrap();
        methods.iter().map(move |(method, operation)| (pattern.clone(), method.clone(), operation))
    });
    all.collect()
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document = document();
    let described: BTreeSet<(String, String)> =
        operations(&document).into_iter().map(|(pattern, method, _)| (pattern, method)).collect();
    let routes: BTreeSet<(String, String)> = NEEDS
        .all()
        .map(|(pattern, method, _)| (pattern.to_owned(), method.as_str().to_ascii_lowercase()))
        .collect();
    assert_eq!(described, routes);
    for (pattern, method, operation) in operations(&document) {
        let (_, _, need) = NEEDS
            .all()
            .find(|(own, by, _)| *own == pattern && by.as_str().eq_ignore_ascii_case(&method))
            .unwrap();
        let at = format!("{method} {pattern}");
        match need {
            Need::Permission(permission) => {
                assert_eq!(operation["x-permission"], permission, "{at}")
            }
            Need::SignedIn | Need::Public => {
                assert!(operation.get("x-permission").is_none(), "{at}")
            }
        }
        let open = operation["security"].as_array().is_some_and(Vec::is_empty);
        assert_eq!(open, need == Need::Public, "{at}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_name_is_one() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for to in &found {
        let pointer = to.strip_prefix('#').unwrap_or_else(|| panic!("{to} is not in the document"));
        assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (pattern, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id.clone()), "{id} is used twice");
        let parameters = operation["parameters"].as_array().unwrap();
        let mut names = BTreeSet::new();
        for parameter in parameters {
            let parameter = match parameter["$ref"].as_str() {
                Some(to) => document.pointer(&to[1..]).unwrap(),
                None => parameter,
            };
            let key = (parameter["in"].as_str(), parameter["name"].as_str());
            assert!(names.insert(key), "{method} {pattern} has {key:?} twice");
        }
        for word in pattern.split('/').filter_map(|word| word.strip_prefix('{')) {
            let name = word.trim_end_matches('}');
            assert!(names.contains(&(Some("path"), Some(name))), "{method} {pattern}: {name}");
        }
    }
}

#[test]
fn nothing_is_said_of_a_route_that_is_not_there() {
    for (method, pattern, operation) in listed::LISTED {
        let known = ROUTES.iter().any(|r| r.method == *method && r.pattern == *pattern);
        assert!(known, "{method} {pattern} is described and does not exist");
        assert!(!operation.summary.is_empty(), "{method} {pattern}");
    }
}

#[test]
fn the_document_is_the_same_each_time() {
    assert_eq!(document().to_string(), document().to_string());
}

/// A field that is said to have a value in every row has a column that is never null.
#[tokio::test]
async fn what_is_never_null_is_kept_so() {
    let test = ::store::testing::engines("billing").await.remove(0);
    test.db.migrate(&crate::store::MIGRATIONS).await.unwrap();
    let mut checked = 0;
    for entity in ENTITIES {
        let sql = match test.engine() {
            ::store::Engine::Sqlite => {
                "SELECT name FROM pragma_table_info($1) WHERE \"notnull\" = 1"
            }
            ::store::Engine::Postgres => {
                "SELECT column_name AS name FROM information_schema.columns
                 WHERE table_name = $1 AND is_nullable = 'NO'"
            }
        };
        let rows = test.db.dynamic_all(sql, ::store::args![entity.table]).await.unwrap();
        let columns: Vec<String> = rows.iter().map(|row| row.get("name").unwrap()).collect();
        // A view tells nothing about its columns.
        if columns.is_empty() {
            continue;
        }
        for field in entity.all_fields().filter(|f| f.is_column() && kinds::is_filled(f)) {
            let at = format!("{}.{}", entity.name, field.name);
            assert!(columns.iter().any(|column| column == field.name), "{at} may be null");
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}
