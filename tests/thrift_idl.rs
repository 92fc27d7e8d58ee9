//! Thrift files: what they declare, and where they are wrong.
#![cfg(feature = "thrift")]

use std::fs;
use std::path::{Path, PathBuf};

use ninestep::Value;
use ninestep::protocol::thrift::{Idl, IdlError, Thrift};
use ninestep::protocol::{Outgoing, Protocol, Request};

/// The struct of arguments that a call becomes.
fn packed(idl: &Idl, procedure: &str, arguments: &[Value]) -> Result<String, String> {
    let thrift = Thrift { idl: idl.clone(), ..Thrift::default() };
    let mut request = Request::default();
    let call = Outgoing { id: Some(1), procedure, arguments: &arguments, deadline: None };
    thrift.pack(&call, &mut request)?;
    Ok(request.bytes[12 + procedure.len()..].escape_ascii().to_string())
}

#[track_caller]
fn packs(idl: &Idl, procedure: &str, argument: Value, bytes: &[u8]) {
    assert_eq!(packed(idl, procedure, &[argument]).unwrap(), bytes.escape_ascii().to_string());
}

/// A folder of files that is removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        for (file, text) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Folder(folder)
    }

    fn load(&self, file: &str) -> Result<Idl, IdlError> {
        Idl::load(self.0.join(file))
    }

    /// The error, with paths that begin in this folder.
    fn error(&self, file: &str) -> String {
        let error = self.load(file).unwrap_err().to_string();
        error.replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn everything_that_may_stand_in_a_file_is_read() {
    let idl = Idl::parse(
        r#"
        // A comment, # another, /* and one */
        # namespace nobody
        /* of two
           lines */
        namespace py shop.thing
        namespace * shop ( cpp.type = "x" )
        cpp_include "vector"
        const i32 LIMIT = 0x10;
        const map<string, list<i32>> TABLE = { 'a': [1, 2], "b": [] }
        const double HALF = -0.5e-3, const string NAME = "a \n b"
        typedef i16 Small ( js.type = "Number" )
        typedef list<Small> Smalls
        enum Color { RED, GREEN = 5 (note = "x"), BLUE; DARK = -0x2 }
        struct Tree { 1: required Small value = 7 (a = "b", c), 3: optional list<Tree> children = [] } (final = "true")
        union Either { 1: i32 left; 2: binary right }
        exception Trouble { 1: string why }
        service Base { void base(1: Smalls s) }
        service Shop extends Base {
            oneway void tell(1: Color color),
            Tree plant(-1: set<Tree> trees, 2: map<Color, Either> either)
                throws (1: Trouble trouble, 2: Trouble other) (deprecated = "yes");
            bool any(1: bool a, 2: byte b, 3: i8 c, 4: i64 d, 5: double e, 6: string f, 7: uuid g),
        }
        "#,
    )
    .unwrap();
    let list = |value: Value| Value::List(vec![value]);
    let map = |name: &str, value: Value| Value::Map(vec![(name.to_owned(), value)]);
    packs(&idl, "base", list(Value::Int(1)), b"\x0f\0\x01\x06\0\0\0\x01\0\x01\0");
    for (name, number) in [
        ("RED", b"\0\0\0\0"),
        ("GREEN", b"\0\0\0\x05"),
        ("BLUE", b"\0\0\0\x06"),
        ("DARK", b"\xff\xff\xff\xfe"),
    ] {
        let error = packed(&idl, "tell", &[Value::from(name)]).unwrap_err();
        assert!(error.contains("oneway"), "{error}");
        let tree = map("value", Value::Int(1));
        let trees = list(map("children", list(tree)));
        let both = packed(&idl, "plant", &[trees, map(name, map("left", Value::Int(9)))]).unwrap();
        let expected = [
            &b"\x0e\xff\xff\x0c\0\0\0\x01\x0f\0\x03\x0c\0\0\0\x01\x06\0\x01\0\x01\0\0"[..],
            b"\x0d\0\x02\x08\x0c\0\0\0\x01",
            number,
            b"\x08\0\x01\0\0\0\x09\0\0",
        ];
        assert_eq!(both, expected.concat().escape_ascii().to_string());
    }
    assert!(packed(&idl, "any", &vec![Value::Null; 7]).is_ok());
    assert!(packed(&idl, "any", &vec![Value::Null; 8]).is_err());
}

#[test]
fn fields_without_numbers_count_down() {
    let text =
        "struct S { optional string a = 'x', 7: string b, string c } exception E { string why }
        service T { i32 add(i32 a, i32 b) throws (E e), void take(S s) }";
    let idl = Idl::parse(text).unwrap();
    let added = packed(&idl, "add", &[Value::Int(1), Value::Int(2)]).unwrap();
    let expected = b"\x08\xff\xff\0\0\0\x01\x08\xff\xfe\0\0\0\x02\0";
    assert_eq!(added, expected.escape_ascii().to_string());
    let names = ["a", "b", "c"].map(|name| (name.to_owned(), Value::from("")));
    let expected = b"\x0c\xff\xff\x0b\xff\xff\0\0\0\0\x0b\0\x07\0\0\0\0\x0b\xff\xfe\0\0\0\0\0\0";
    packs(&idl, "take", Value::Map(names.into()), expected);
}

#[test]
fn an_empty_file_declares_nothing() {
    for text in ["", "\n// nothing", "namespace py x"] {
        let idl = Idl::parse(text).unwrap();
        packs(&idl, "x", Value::from(true), b"\x02\0\x01\x01\0");
    }
}

#[test]
fn files_include_files_beside_them() {
    let folder = Folder::new(
        "includes",
        &[
            (
                "main.thrift",
                "include \"deep/shared.thrift\" include 'base.thrift'\n\
                service Main extends base.Base { void main(1: shared.Point p, 2: base.Number n) }",
            ),
            (
                "base.thrift",
                "include \"deep/shared.thrift\"\ntypedef i16 Number\n\
                service Base { void base(1: list<shared.Point> p) }",
            ),
            ("deep/shared.thrift", "struct Point { 4: i32 x }"),
        ],
    );
    let idl = folder.load("main.thrift").unwrap();
    let point = Value::Map(vec![("x".to_owned(), Value::Int(1))]);
    packs(&idl, "main", point.clone(), b"\x0c\0\x01\x08\0\x04\0\0\0\x01\0\0");
    packs(
        &idl,
        "base",
        Value::List(vec![point]),
        b"\x0f\0\x01\x0c\0\0\0\x01\x08\0\x04\0\0\0\x01\0\0",
    );
}

#[test]
fn what_is_wrong_has_a_file_and_a_line() {
    for (text, expected) in [
        ("struct", "1: expected a name, and the file ends"),
        ("\nstructure X {}", "2: expected a declaration, not structure"),
        ("struct X {\n  1: i32\n}", "3: expected the name of a field, not }"),
        ("struct X { 1 i32 x }", "1: expected :, not i32"),
        ("struct X { 40000: i32 x }", "1: expected a number in its range, not 40000"),
        ("struct X { 1: i32 x,\n 1: i32 y }", "2: field 1 or its name y comes twice"),
        ("struct X { 1: i32 x,\n 2: i32 x }", "2: field 2 or its name x comes twice"),
        ("struct X { 1: list<Y> y }", "1: there is no type Y"),
        ("struct X { 1: a.Y y }", "1: there is no type a.Y"),
        ("typedef Y X\ntypedef i32 Y", "1: there is no type Y"),
        ("service S {}\ntypedef S T", "2: there is no type S"),
        ("struct X {}\n\nenum X {}", "3: X is declared twice"),
        ("service S extends T {}", "1: there is no service T"),
        ("struct T {} service S extends T {}", "1: there is no service T"),
        ("service S {\n void f(),\n i32 f() }", "3: the function f is declared twice, differently"),
        (
            "service S { i32 f() }\nservice T { void f() }",
            "2: the function f is declared twice, differently",
        ),
        ("service S { void f( }", "1: expected a field, or the end of the list, not }"),
        ("service S { void f() throws 1: i32 x }", "1: expected (, not 1"),
        ("enum E { A = x }", "1: expected a number in its range, not x"),
        ("enum E { A = 3000000000 }", "1: expected a number in its range, not 3000000000"),
        ("enum E { A\n", "1: expected a name, or }, and the file ends"),
        ("const i32 X = ;", "1: expected a value, not ;"),
        ("const list<i32> X = [1, 2", "1: expected a closing bracket, and the file ends"),
        ("struct X {} (a = \"b\"", "1: expected a closing bracket, and the file ends"),
        ("\n\nconst string X = \"open\n", "3: a quotation or a comment has no end"),
        ("\n/* open", "2: a quotation or a comment has no end"),
        ("include \"x.thrift\"", "1: x.thrift cannot be included: this is no file"),
        ("include x", "1: expected the name of a file, not x"),
        ("namespace py", "1: expected a name, and the file ends"),
        ("🦀", "1: expected a declaration, not 🦀"),
    ] {
        let error = Idl::parse(text).map(drop).unwrap_err().to_string();
        assert_eq!(error, format!("the Thrift text:{expected}"), "{text}");
    }
    let deep = format!("typedef {}i32{} X", "list<".repeat(100_000), ">".repeat(100_000));
    assert!(Idl::parse(&deep).unwrap_err().to_string().contains("types nest too deeply"));
}

#[test]
fn what_is_wrong_in_an_included_file_names_that_file() {
    let folder = Folder::new(
        "wrong_includes",
        &[
            ("a.thrift", "\ninclude \"b.thrift\""),
            ("b.thrift", "\n\nstruct X { 1: Y y }"),
            ("missing.thrift", "\ninclude \"nowhere.thrift\""),
            ("itself.thrift", "include \"other.thrift\""),
            ("other.thrift", "\ninclude \"itself.thrift\""),
        ],
    );
    assert_eq!(folder.error("a.thrift"), "b.thrift:3: there is no type Y");
    let error = folder.error("missing.thrift");
    assert!(error.starts_with("missing.thrift:2: nowhere.thrift cannot be read: "), "{error}");
    assert!(folder.error("itself.thrift").contains("includes itself"));
    let error = folder.error("none.thrift");
    assert!(error.starts_with("none.thrift cannot be read: "), "{error}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text: String) {
        let _ = Idl::parse(&text);
    }

    #[test]
    fn no_words_make_it_panic(words in proptest::collection::vec(
        proptest::sample::select(vec!["struct", "enum", "service", "X", "1", ":", "{", "}", "(", ")",
            "<", ">", ",", "=", "i32", "list", "map", "void", "throws", "include", "\"x\"", "const",
            "typedef", "oneway", "extends", "namespace", "[", "]", "-1", "'"]), 0..30)) {
        let _ = Idl::parse(&words.join(" "));
    }
}
