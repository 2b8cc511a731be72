use super::*;
use crate::{Cell, Writer, Writing};
use proptest::prelude::*;
use std::io::Cursor;

type Rows = Vec<(u64, Vec<String>)>;

fn table(file: &[u8], how: &Reading) -> Result<(Summary, Rows, Vec<RowFault>), ReadError> {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let summary = read(file, how, |item| {
        match item {
            Item::Row { number, cells, columns } => {
                assert!(cells.len() <= columns.len());
                rows.push((number, cells.to_vec()));
            }
            Item::Bad(fault) => faults.push(fault),
        }
        ControlFlow::Continue(())
    })?;
    assert_eq!((summary.rows, summary.bad), (rows.len() as u64, faults.len() as u64));
    Ok((summary, rows, faults))
}

fn plain(file: &str) -> (Summary, Rows, Vec<RowFault>) {
    table(file.as_bytes(), &Reading::default()).unwrap()
}

fn refused(file: &[u8]) -> String {
    table(file, &Reading::default()).unwrap_err().to_string()
}

/// Every format that is read.
const READABLE: [Format; 4] = [Format::Csv, Format::Xlsx, Format::Json, Format::JsonLines];

#[test]
fn a_pdf_is_refused_with_a_way_out() {
    for format in [None, Some(Format::Pdf)] {
        let how = Reading { format, ..Reading::default() };
        let error = read(&b"%PDF-1.7"[..], &how, |_| ControlFlow::Continue(())).unwrap_err();
        assert!(error.to_string().contains("CSV"), "{error}");
    }
}

#[test]
fn rows_have_the_numbers_a_spreadsheet_shows() {
    let file = "\u{feff}name,note\r\nasha,\"two\r\nlines\"\r\n\r\nbo,x\rcy\n";
    let (summary, rows, faults) = plain(file);
    assert_eq!(summary.columns, ["name", "note"]);
    assert_eq!(summary.delimiter, Some(Delimiter::Comma));
    let expected = [
        (2, vec!["asha".to_owned(), "two\r\nlines".to_owned()]),
        (4, vec!["bo".to_owned(), "x".to_owned()]),
        (5, vec!["cy".to_owned()]),
    ];
    assert_eq!(rows, expected);
    assert!(faults.is_empty());
}

#[test]
fn the_delimiter_shows_in_the_rows() {
    let cases = [
        ("a,b\n1,2\n", Delimiter::Comma),
        ("a;b\n\"1;1\",2;3,4\n5;6\n", Delimiter::Semicolon),
        ("name;price\nasha;1,50\nbo;2,75\n", Delimiter::Semicolon),
        ("a\tb,c\n1\t2\n", Delimiter::Tab),
        ("a|b|c\n1|2,3|4\n", Delimiter::Pipe),
        ("alone\n1\n", Delimiter::Comma),
        ("a;b", Delimiter::Semicolon),
    ];
    for (file, delimiter) in cases {
        assert_eq!(plain(file).0.delimiter, Some(delimiter), "{file:?}");
    }
}

#[test]
fn columns_get_names_where_they_have_none_or_the_same() {
    let (summary, rows, _) = plain("id,,id, name ,,\n1,2,3,4\n");
    assert_eq!(summary.columns, ["id", "column B", "id (2)", "name"]);
    assert_eq!(rows[0].1.len(), 4);
    let how = Reading { header: false, ..Reading::default() };
    let (summary, rows, _) = table(b"1,2\n3,4,5\n", &how).unwrap();
    assert_eq!(summary.columns, ["column A", "column B", "column C"]);
    assert_eq!((rows[0].0, rows[1].1.len()), (1, 3));
}

#[test]
fn a_row_in_trouble_is_named_and_the_next_is_read() {
    let how = Reading {
        limits: Limits { cell_bytes: 10, row_bytes: 24, columns: 4, ..Limits::default() },
        ..Reading::default()
    };
    let file = b"a,b,c\n1,2,3,4\n1,12345678901,3\n1,\xff,3\n1234567890,1234567890,1234567890\n\
                 1,2,3,4,5\n,,,\nok,,\n";
    let (_, rows, faults) = table(file, &how).unwrap();
    let told: Vec<(u64, Option<&str>, &str)> =
        faults.iter().map(|f| (f.number, f.column.as_deref(), f.detail.as_str())).collect();
    let expected = [
        (2, None, "has 4 cells where there are 3 columns"),
        (3, Some("b"), "a cell has more than 10 octets"),
        (4, Some("b"), "is not UTF-8 text"),
        (5, None, "the row has more than 24 octets"),
        (6, None, "the row has more than 4 cells"),
    ];
    assert_eq!(told, expected);
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[1].0, rows[1].1[0].as_str()), (8, "ok"));
}

#[test]
fn a_quote_without_its_partner_is_found_where_it_opens() {
    let file = "a,b\n1,2\n3,\"4\n5,6\n7,8\n";
    assert_eq!(refused(file.as_bytes()), "row 3: the quote that opens cell 2 is never closed");
}

#[test]
fn foreign_files_are_refused_with_a_hint() {
    assert_eq!(refused(b""), "the file is empty");
    assert_eq!(refused(b" \n\n"), "the file is empty");
    assert!(refused(&[0xff, 0xfe, b'a', 0]).contains("UTF-16"));
    assert!(refused(&[0xd0, 0xcf, 0x11, 0xe0, 0, 0]).contains("save it as .xlsx"));
    assert!(refused(b"\x7fELF\x02\x01\x01\0\0").contains("no CSV"));
    assert!(refused(b"PK\x03\x04 and nothing").contains("workbook"));
    assert!(refused(b"n\xe4me;b\n1;2\n").contains("not UTF-8"));
    let how = Reading { format: Some(Format::Csv), ..Reading::default() };
    assert!(table(b"PK\x03\x04xx", &how).is_err());
    let how = Reading { format: Some(Format::Xlsx), ..Reading::default() };
    assert!(table(b"a,b\n", &how).is_err());
    let how = Reading { format: Some(Format::Json), ..Reading::default() };
    assert!(table(b"{\"a\":1}", &how).is_err());
}

#[test]
fn a_file_beyond_its_bound_is_not_read_to_its_end() {
    struct Endless;
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    for format in READABLE {
        let input = match format {
            Format::Csv => "a,b\n",
            Format::Xlsx => "PK\x03\x04",
            Format::Json => "[{\"a\":\"",
            Format::JsonLines => "{\"a\":\"",
            Format::Pdf => unreachable!("is not read"),
        };
        let limits = Limits { bytes: 10 << 20, xlsx_bytes: 1 << 20, ..Limits::default() };
        let how = Reading { limits, ..Reading::default() };
        let input = Cursor::new(input).chain(Endless);
        let error = read(input, &how, |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, ReadError::TooLong(_)), "{format}: {error}");
    }
}

#[test]
fn json_rows_may_bring_columns_and_need_not_have_all() {
    let file = r#" [ {"b":"x","a":1}, {"a":true,"c":[1,{"d":null}]} ,{}, {"b":null,"c":1.5} ] "#;
    let (summary, rows, _) = plain(file);
    assert_eq!(summary.format, Format::Json);
    assert_eq!(summary.columns, ["b", "a", "c"]);
    let cells: Vec<Vec<&str>> =
        rows.iter().map(|(_, row)| row.iter().map(String::as_str).collect()).collect();
    let expected: [Vec<&str>; 4] = [
        vec!["x", "1"],
        vec!["", "true", "[1,{\"d\":null}]"],
        vec!["", "", ""],
        vec!["", "", "1.5"],
    ];
    assert_eq!(cells, expected);
}

#[test]
fn json_in_trouble_is_named() {
    let file = r#"[{"a":1},7,{"a":1,"a":2},{"a" 1},{"a":"}],["},{"a":2}]"#;
    let (_, rows, faults) = plain(file);
    assert_eq!(rows.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 5, 6]);
    assert_eq!(faults.iter().map(|f| f.number).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(faults[1].column.as_deref(), Some("a"));
    for (file, told) in [
        (r#"[{"a":1}"#, "row 1: the array has no end"),
        (r#"[{"a":1},"#, "row 2: the array has no end"),
        (r#"[{"a":1},]"#, "row 2: there is a comma too many before the end of the array"),
        (r#"[{"a":1} {"a":2}]"#, "row 1: "),
        (r#"[{"a":1}]]"#, "row 2: there is more behind the end of the array"),
        (r#"[{"a":1}}"#, "row 1: "),
    ] {
        let result = table(file.as_bytes(), &Reading::default());
        match result {
            Err(error) => assert!(error.to_string().starts_with(told), "{file}: {error}"),
            // Two objects without a comma are framed as one bad row.
            Ok((_, rows, faults)) => {
                assert!(rows.is_empty() && faults[0].number == 1, "{file}: {rows:?}");
            }
        }
    }
    // Deeper than any parser goes.
    let deep = format!("[{{\"a\":{}1{}}}]", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(plain(&deep).2.len(), 1);
}

#[test]
fn json_lines_have_the_numbers_of_their_lines() {
    let file = "{\"a\":1}\n\n{\"a\":\n{\"a\":\"x\"}\r\n";
    let (summary, rows, faults) = plain(file);
    assert_eq!(summary.format, Format::JsonLines);
    assert_eq!(rows, [(1, vec!["1".to_owned()]), (4, vec!["x".to_owned()])]);
    assert_eq!(faults[0].number, 3);
    assert!(faults[0].detail.starts_with("is not a JSON object"), "{faults:?}");
}

/// A workbook with these parts.
fn workbook<T: AsRef<[u8]>>(parts: &[(&str, T)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        io::Write::write_all(&mut zip, text.as_ref()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const RELS: (&str, &str) = (
    "_rels/.rels",
    r#"<Relationships><Relationship Id="r1" Type="http://x/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
);
const BOOK: (&str, &str) = (
    "xl/workbook.xml",
    r#"<workbook xmlns:r="http://r"><sheets><sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>"#,
);
const BOOK_RELS: (&str, &str) = (
    "xl/_rels/workbook.xml.rels",
    r#"<Relationships><Relationship Id="r1" Type="http://x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
);
const STYLES: (&str, &str) = (
    "xl/styles.xml",
    r#"<styleSheet><cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/></cellXfs></styleSheet>"#,
);

fn sheet(rows: &str) -> Vec<u8> {
    let sheet = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
    workbook(&[RELS, BOOK, BOOK_RELS, STYLES, ("xl/worksheets/sheet1.xml", &sheet)])
}

#[test]
fn a_sheet_is_read_with_its_dates_and_errors() {
    let file = sheet(
        r#"<row r="2"><c r="B2" t="str"><v>name</v></c><c r="C2" t="str"><v>since</v></c></row>
        <row r="3"><c r="B3" t="inlineStr"><is><t>asha</t></is></c><c r="C3" s="1"><v>45943</v></c></row>
        <row r="5"><c r="B5"><v>7.25</v></c><c r="C5" s="2"><v>45943.5</v></c></row>
        <row r="6"><c r="B6" t="e"><v>#REF!</v></c></row>
        <row r="7"><c r="B7" t="b"><v>1</v></c><c r="E7"><v>1</v></c></row>
        <row r="8"><c r="B8" t="b"><v>1</v></c></row>"#,
    );
    let (summary, rows, faults) = table(&file, &Reading::default()).unwrap();
    assert_eq!(summary.columns, ["column A", "name", "since"]);
    let expected = [
        (3, ["", "asha", "2025-10-13"].map(str::to_owned).to_vec()),
        (5, ["", "7.25", "2025-10-13T12:00:00"].map(str::to_owned).to_vec()),
        (8, ["", "true"].map(str::to_owned).to_vec()),
    ];
    assert_eq!(rows, expected);
    assert_eq!(faults[0].number, 6);
    assert_eq!(faults[0].detail, "is #REF!, a formula's error");
    assert_eq!((faults[1].number, faults[1].column.as_deref()), (7, Some("column E")));
    let how = Reading { sheet: Some("Two".to_owned()), ..Reading::default() };
    let error = table(&file, &how).unwrap_err().to_string();
    assert_eq!(error, "there is no sheet \"Two\"; there are: One");
}

#[test]
fn a_workbook_made_to_do_harm_is_refused() {
    // Few octets, many unpacked.
    let bomb = sheet(&" ".repeat(9 << 20));
    assert!(bomb.len() < 1 << 16);
    let limits = Limits { unpacked_bytes: 8 << 20, ..Limits::default() };
    let how = Reading { limits, ..Reading::default() };
    assert!(table(&bomb, &how).unwrap_err().to_string().contains("more than 8 MiB"));
    // A claim for which memory would be reserved.
    let claim = r#"<sst count="1" uniqueCount="900000000000"><si><t>x</t></si></sst>"#;
    let file = workbook(&[RELS, BOOK, BOOK_RELS, ("xl/SharedStrings.xml", claim)]);
    assert!(refused(&file).contains("claims to have 900000000000 texts"));
    // The same where the search in UTF-8 would not see it.
    let wide: String = claim.chars().flat_map(|c| [c, '\0']).collect();
    let file = workbook(&[RELS, BOOK, BOOK_RELS, ("xl/sharedStrings.xml", &wide)]);
    assert!(refused(&file).contains("not UTF-8 XML"));
    // Many texts of nothing.
    let texts = format!("<sst>{}</sst>", "<si/>".repeat(9_000_000));
    let file = workbook(&[RELS, BOOK, BOOK_RELS, ("xl/sharedStrings.xml", &texts)]);
    assert!(refused(&file).contains("too many texts"));
    // Huge styles.
    let styles = format!("<styleSheet><cellXfs>{}</cellXfs></styleSheet>", "<xf/>".repeat(900_000));
    let file = workbook(&[RELS, BOOK, BOOK_RELS, ("xl/styles.xml", &styles)]);
    assert!(refused(&file).contains("huge styles"));
    // Many parts.
    let names: Vec<String> = (0..2_001).map(|n| format!("xl/media/{n}")).collect();
    let parts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert!(refused(&workbook(&parts)).contains("more than 2000 parts"));
    // A sheet that is one cell in its farthest corner takes no more memory than another.
    let corner = sheet(
        r#"<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>"#,
    );
    assert_eq!(table(&corner, &Reading::default()).unwrap().2.len(), 1);
    // Rows that go back.
    let back =
        sheet(r#"<row r="2"><c r="A2"><v>1</v></c></row><row r="1"><c r="A1"><v>1</v></c></row>"#);
    assert!(refused(&back).contains("not in order"));
    // An entity that stands for another file, and one that grows.
    let entity = r#"<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&x;</t></is></c></row></sheetData></worksheet>"#;
    let file = workbook(&[RELS, BOOK, BOOK_RELS, ("xl/worksheets/sheet1.xml", entity)]);
    assert!(table(&file, &Reading::default()).is_err());
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[=+@'\"\\-,;|\t\r\n a]{0,6}",
        Just("\u{feff}".to_owned()),
        Just("_x0041_".to_owned()),
        Just("  padded\t".to_owned()),
        Just(String::new()),
    ]
    // Not characters of XML, whatever the escape; a spreadsheet cannot hold them.
    .prop_map(|text| text.replace(['\u{fffe}', '\u{ffff}', '\0'], "?"))
}

fn any_cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        3 => any_text().prop_map(Cell::Text),
        1 => any::<i64>().prop_map(Cell::Integer),
        1 => (-1e15..1e15).prop_map(Cell::Number),
        1 => any::<bool>().prop_map(Cell::Flag),
        1 => Just(Cell::Empty),
        1 => prop::collection::vec("[a-z\"=]{0,3}", 0..3)
            .prop_map(|words| Cell::Json(serde_json::json!(words))),
    ]
}

/// What comes back for a cell.
fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Integer(number) => number.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Json(value) => value.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_written_is_read_again(
        rows in prop::collection::vec(prop::collection::vec(any_cell(), 3), 0..6),
        format in prop::sample::select(READABLE.to_vec()),
        delimiter in prop::sample::select(Delimiter::ALL.to_vec()),
        byte_order_mark in any::<bool>(),
        guard in any::<bool>(),
    ) {
        let how = Writing { format, delimiter, byte_order_mark, guard, ..Writing::default() };
        let columns: Vec<String> = ["id", "=name", "x,y;z"].map(str::to_owned).to_vec();
        let mut writer = Writer::new(Vec::new(), &how, columns.clone()).unwrap();
        for row in &rows {
            writer.push(row).unwrap();
        }
        let file = writer.finish().unwrap();
        let how = Reading { guard, delimiter: Some(delimiter), ..Reading::default() };
        // Nothing shows that a file without a line is JSON Lines.
        let how = if file.is_empty() || format == Format::Json {
            Reading { format: Some(format), ..how }
        } else {
            how
        };
        if file.is_empty() {
            prop_assert!(matches!(table(&file, &how), Err(ReadError::Empty)));
            return Ok(());
        }
        let (summary, read, faults) = table(&file, &how).unwrap();
        prop_assert_eq!(summary.format, format);
        prop_assert!(faults.is_empty(), "{:?}", faults);
        if !rows.is_empty() || matches!(format, Format::Csv | Format::Xlsx) {
            prop_assert_eq!(&summary.columns, &columns);
        }
        // A workbook has no rows without anything in them.
        let mut expected: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(shown).collect()).collect();
        if format == Format::Xlsx {
            expected.retain(|row: &Vec<String>| row.iter().any(|cell| !cell.is_empty()));
        }
        let read: Vec<Vec<String>> = read
            .into_iter()
            .map(|(_, mut row)| {
                row.resize(3, String::new());
                row
            })
            .collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn csv_is_read_as_another_reader_reads_it(text in "[ab\",\r\n;x=']{0,40}") {
        let limits = Limits { columns: 50, ..Limits::default() };
        let how = Reading {
            format: Some(Format::Csv),
            delimiter: Some(Delimiter::Comma),
            header: false,
            guard: false,
            limits,
            ..Reading::default()
        };
        let ours = match table(text.as_bytes(), &how) {
            Ok((_, rows, _)) => rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>(),
            // The other reader closes the last quote itself.
            Err(ReadError::Broken { .. } | ReadError::Empty) => return Ok(()),
            Err(error) => panic!("{error}"),
        };
        let mut theirs = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let theirs: Vec<Vec<String>> = theirs
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        prop_assert_eq!(ours, theirs);
    }
}

/// A fixed sequence (xorshift64), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    /// Changes a few octets, repeats a piece, leaves one out, cuts the end off.
    fn change(&mut self, file: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(file.len());
            match self.below(5) {
                0 => file[at] = self.below(256) as u8,
                1 => file[at] ^= 1 << self.below(8),
                2 => file.truncate(at + 1),
                3 => {
                    let from = self.below(file.len());
                    let piece = file[from..(from + self.below(40)).min(file.len())].to_vec();
                    file.splice(at..at, piece);
                }
                _ => {
                    let end = (at + self.below(20)).min(file.len());
                    file.drain(at..end);
                }
            }
            if file.is_empty() {
                file.push(b'[');
            }
        }
    }
}

/// Reads changed files; nothing may panic, hang or grow without bound.
fn attack(rounds: usize, mut file: impl FnMut(usize) -> Vec<u8>) {
    let limits = Limits { unpacked_bytes: 8 << 20, ..Limits::default() };
    let how = Reading { limits, ..Reading::default() };
    let (mut taken, mut refused) = (0, 0);
    for round in 0..rounds {
        match table(&file(round), &how) {
            Ok(_) => taken += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(taken > rounds / 50 && refused > rounds / 50, "{taken} read, {refused} refused");
}

#[test]
fn changed_files_are_refused_or_read_but_never_break_anything() {
    let columns: Vec<String> = ["id", "name", "note"].map(str::to_owned).to_vec();
    let seeds = READABLE.map(|format| {
        let how = Writing { format, ..Writing::default() };
        let mut writer = Writer::new(Vec::new(), &how, columns.clone()).unwrap();
        for n in 0..5 {
            let row = [
                Cell::Integer(n),
                Cell::Text("a \"b\",\n=c".to_owned()),
                Cell::Json(serde_json::json!({"x": [1, "y"]})),
            ];
            writer.push(&row).unwrap();
        }
        writer.finish().unwrap()
    });
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    attack(4_000, |round| {
        let mut file = seeds[round % seeds.len()].clone();
        random.change(&mut file);
        file
    });
}

/// An archive's checksums keep changes from getting far, so here its parts are changed before
/// they are packed.
#[test]
fn changed_parts_of_a_workbook_are_refused_or_read() {
    let texts =
        r#"<sst uniqueCount="2"><si><t>name</t></si><si><r><t>a</t></r><r><t>b</t></r></si></sst>"#;
    let rows = r#"<worksheet><dimension ref="A1:C3"/><sheetData>
        <row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>
        <row r="2"><c r="A2" s="1"><v>45000.5</v></c><c r="B2"><f>1+1</f><v>2</v></c></row>
        <row r="3"><c r="A3" t="inlineStr"><is><t>x &amp; y</t></is></c><c t="b"><v>1</v></c></row>
        </sheetData></worksheet>"#;
    let parts = [
        RELS,
        BOOK,
        BOOK_RELS,
        STYLES,
        ("xl/sharedStrings.xml", texts),
        ("xl/worksheets/sheet1.xml", rows),
    ];
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    attack(4_000, |round| {
        let mut parts = parts.map(|(name, text)| (name, text.as_bytes().to_vec()));
        random.change(&mut parts[round % 6].1);
        workbook(&parts)
    });
}
