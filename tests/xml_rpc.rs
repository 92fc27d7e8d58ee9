//! XML-RPC, byte by byte. The bytes of calls and replies are those that Python's `xmlrpc.client`
//! writes.
#![cfg(feature = "xml-rpc")]

pub mod support;
#[path = "support/values.rs"]
pub mod values;

use std::collections::BTreeMap;

use ninestep::protocol::DateTime;
use ninestep::protocol::xml_rpc::XmlRpc;
use ninestep::{Fault, Procedures, Server, ThreadPerConnection, Value, demo};
use proptest::prelude::*;
use serde_bytes::Bytes;
use support::http::{HttpRaw, Response, post_with};
use support::{ServerThread, within};
use values::{
    Everything, echoed, everything, packed, read_everything, there_and_back, unpacked, values,
};

fn procedures() -> Procedures {
    demo::procedures()
        .on("noop", || ())
        .on("fail", |code: i32, message: String| -> Result<(), Fault> {
            Err(Fault::new(code, message).with_data(1_i64))
        })
        .on("nan", || f64::NAN)
        .on("largest", || u64::MAX)
        .on("panic", || -> i64 { panic!("asked to") })
        .on("byte", |value: i8| value)
        .on("text", |length: usize| "x".repeat(length))
}

/// A server, and one connection to it.
struct Talk {
    _server: ServerThread,
    raw: HttpRaw,
}

impl Talk {
    fn new() -> Talk {
        let server = Server::new(procedures()).protocol(XmlRpc::default().max_message(100_000));
        let server = ServerThread::run(server, ThreadPerConnection::default());
        Talk { raw: HttpRaw::connect(server.address()), _server: server }
    }

    fn post(&mut self, path: &str, body: &str) -> Response {
        self.raw.send(&post_with(path, "content-type: text/xml\r\n", body));
        self.raw.response()
    }

    fn ask(&mut self, body: &str) -> String {
        let response = self.post("/RPC2", body);
        assert_eq!(response.status, 200, "{body}: {response:?}");
        response.body
    }

    /// The fault that answers this body. The next call works.
    #[track_caller]
    fn fault(&mut self, body: &str) -> (i32, String) {
        let answer = self.ask(body);
        assert!(answer.contains("<fault>"), "{body}: {answer}");
        let inside = |from: &str, to: &str| {
            answer.split(from).nth(1).and_then(|rest| rest.split(to).next()).unwrap().to_owned()
        };
        assert_eq!(self.ask(&call("add", &int(1).repeat(2))), result("<int>2</int>"));
        (inside("<int>", "<").parse().unwrap(), inside("<string>", "</string>"))
    }
}

fn talk(test: impl FnOnce(&mut Talk) + Send + 'static) {
    within("XML-RPC", || test(&mut Talk::new()));
}

fn call(name: &str, params: &str) -> String {
    let head = "<?xml version='1.0'?>\n<methodCall>\n<methodName>";
    format!("{head}{name}</methodName>\n<params>\n{params}</params>\n</methodCall>\n")
}

fn param(value: &str) -> String {
    format!("<param>\n<value>{value}</value>\n</param>\n")
}

fn int(number: i64) -> String {
    param(&format!("<int>{number}</int>"))
}

fn result(value: &str) -> String {
    let head = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n";
    format!("{head}{}</params>\n</methodResponse>\n", param(value))
}

fn fault(code: i32, message: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n\
         <name>faultCode</name>\n<value><int>{code}</int></value>\n</member>\n<member>\n\
         <name>faultString</name>\n<value><string>{message}</string></value>\n</member>\n\
         </struct></value>\n</fault>\n</methodResponse>\n"
    )
}

const NIL: &str = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n\
    <value><nil/></value></param>\n</params>\n</methodResponse>\n";

/// `xmlrpc.client.dumps` of a call with every type that Python has for it.
const ALL: &str = "<?xml version='1.0'?>\n<methodCall>\n<methodName>x</methodName>\n<params>\n\
    <param>\n<value><boolean>1</boolean></value>\n</param>\n\
    <param>\n<value><int>-1</int></value>\n</param>\n\
    <param>\n<value><double>2.5</double></value>\n</param>\n\
    <param>\n<value><string>a&lt;&amp;&gt;\"'ü</string></value>\n</param>\n\
    <param>\n<value><nil/></value></param>\n\
    <param>\n<value><base64>\n\
    AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/\n\
    AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/AAH/\n</base64></value>\n</param>\n\
    <param>\n<value><array><data>\n<value><int>1</int></value>\n<value><string>x</string></value>\n\
    <value><array><data>\n</data></array></value>\n</data></array></value>\n</param>\n\
    <param>\n<value><struct>\n<member>\n<name>a</name>\n<value><int>1</int></value>\n</member>\n\
    <member>\n<name>b</name>\n<value><struct>\n</struct></value>\n</member>\n</struct></value>\n</param>\n\
    <param>\n<value><dateTime.iso8601>19980717T14:08:55</dateTime.iso8601></value>\n</param>\n\
    </params>\n</methodCall>\n";

#[test]
fn the_client_asks_as_python_does() {
    let protocol = XmlRpc::default();
    let list = (1, "x", Vec::<i64>::new());
    let map = Value::Map(vec![("a".into(), Value::Int(1)), ("b".into(), Value::Map(vec![]))]);
    let bytes = b"\x00\x01\xff".repeat(30);
    let date = DateTime("19980717T14:08:55".to_owned());
    let all = (true, -1, 2.5, "a<&>\"'ü", (), Bytes::new(&bytes), list, map, date);
    assert_eq!(packed(&protocol, all).unwrap(), ALL);
    assert_eq!(packed(&protocol, (10, 5)).unwrap(), call("x", &(int(10) + &int(5))));
    assert_eq!(packed(&protocol, ()).unwrap(), call("x", ""));
    assert_eq!(packed(&protocol, [0; 0]).unwrap(), call("x", ""));
}

#[test]
fn the_server_answers_as_python_does() {
    talk(|talk| {
        let answers = |talk: &mut Talk, name: &str, params: &str, answer: String| {
            assert_eq!(talk.ask(&call(name, params)), answer, "{name}");
        };
        answers(talk, "add", &(int(10) + &int(5)), result("<int>15</int>"));
        answers(talk, "divide", &(int(10) + &int(5)), result("<double>2.0</double>"));
        answers(
            talk,
            "sayHi",
            &param("<string>A&amp;B</string>"),
            result("<string>Hi A&amp;B!</string>"),
        );
        answers(
            talk,
            "fail",
            &(int(4) + &param("Too many parameters.")),
            fault(4, "Too many parameters."),
        );
        answers(talk, "noop", "", NIL.to_owned());
        // No list of parameters at all; no declaration, no space.
        let short = "<methodCall><methodName>ping</methodName></methodCall>";
        assert_eq!(talk.ask(short), result("<string>pong</string>"));
        for path in ["/", "/RPC2"] {
            assert_eq!(talk.post(path, short).status, 200, "{path}");
        }
        assert_eq!(talk.post("/other", short).status, 404);
    });
}

#[test]
fn numbers_have_the_form_that_holds_them() {
    let protocol = XmlRpc::default();
    let looks = |value: Value, xml: &str| {
        assert_eq!(packed(&protocol, (&value,)).unwrap(), call("x", &param(xml)));
        assert_eq!(echoed(&protocol, &(&value,)).unwrap(), Value::List(vec![value]));
    };
    looks(Value::Int(2147483647), "<int>2147483647</int>");
    looks(Value::Int(-2147483648), "<int>-2147483648</int>");
    looks(Value::Int(2147483648), "<i8>2147483648</i8>");
    looks(Value::Int(i64::MIN), "<i8>-9223372036854775808</i8>");
    looks(Value::Float(-0.0), "<double>-0.0</double>");
    looks(Value::Float(0.1), "<double>0.1</double>");
    // No exponent, by the specification.
    looks(Value::Float(1e16), "<double>10000000000000000.0</double>");
    looks(Value::Float(1e-7), "<double>0.0000001</double>");
    assert_eq!(packed(&protocol, (0.1_f32,)).unwrap(), call("x", &param("<double>0.1</double>")));
    looks(Value::from("\r\n\t <]]>"), "<string>&#13;\n\t &lt;]]&gt;</string>");
}

#[test]
fn what_has_no_form_is_refused() {
    let refused = |arguments: Value, why: &str| {
        let error = packed(&XmlRpc::default(), arguments).unwrap_err();
        assert!(error.contains(why), "{error}");
    };
    let list = |value: Value| Value::List(vec![value]);
    refused(
        list(Value::BigInt(u64::MAX)),
        "18446744073709551615 does not fit into 64 bits with a sign",
    );
    refused(list(Value::Float(f64::NAN)), "not finite");
    refused(list(Value::Float(f64::NEG_INFINITY)), "not finite");
    for (letter, name) in [('\0', "U+0000"), ('\x1b', "U+001B"), ('\u{ffff}', "U+FFFF")] {
        refused(list(Value::Text(letter.into())), &format!("XML has no character {name}"));
        refused(list(Value::Map(vec![(letter.into(), Value::Null)])), name);
    }
    refused(Value::Map(vec![]), "XML-RPC has no names for them");
    refused(Value::Int(1), "arguments are a tuple or a sequence");
    let deep = |depth| (1..depth).fold(Value::List(vec![]), |value, _| list(value));
    assert!(packed(&XmlRpc::default(), deep(64)).is_ok());
    refused(deep(65), "nest deeper than allowed");
    let error = packed(&XmlRpc::default().max_message(100), ("x".repeat(100),)).unwrap_err();
    assert_eq!(error, "a message has at most 100 bytes");
}

#[test]
fn what_a_procedure_returns_may_have_no_form_either() {
    talk(|talk| {
        let packed = "the result cannot be packed: ";
        for (name, params, why) in [
            ("nan", String::new(), "a number is not finite"),
            (
                "largest",
                String::new(),
                "18446744073709551615 does not fit into 64 bits with a sign",
            ),
            ("text", int(100_000), "a message has at most 100000 bytes"),
        ] {
            let fault = talk.fault(&call(name, &params));
            assert_eq!(fault, (Fault::INTERNAL, format!("{packed}{why}")), "{name}");
        }
        assert_eq!(talk.fault(&call("panic", "")), (Fault::INTERNAL, "panic failed inside".into()));
    });
}

#[test]
fn every_element_is_read() {
    let read = |xml: &str, value: Value| {
        assert_eq!(
            unpacked::<Value>(&XmlRpc::default(), result(xml).as_bytes()),
            Ok(value),
            "{xml}"
        );
    };
    read("bare", Value::from("bare"));
    read("", Value::from(""));
    read("  ", Value::from("  "));
    read("<string/>", Value::from(""));
    read(
        "<string> a&#65;&#x42;<![CDATA[<&>]]><!-- no -->&quot;\r\n</string>",
        Value::from(" aAB<&>\"\n"),
    );
    for name in ["int", "i1", "i2", "i4", "i8"] {
        read(&format!("\n<{name}> -7 </{name}>\n"), Value::Int(-7));
    }
    for name in ["int", "i4", "i8"] {
        let lowest = format!("<{name}>-9223372036854775808</{name}>");
        read(&lowest, Value::Int(i64::MIN));
    }
    read("<boolean>0</boolean>", Value::Bool(false));
    read("<double>-1.5e3</double>", Value::Float(-1500.0));
    read("<double>5</double>", Value::Float(5.0));
    read("<base64></base64>", Value::Bytes(vec![]));
    read("<base64>\n AP\r\n8=\n</base64>", Value::Bytes(b"\0\xff".to_vec()));
    read(
        "<dateTime.iso8601> 19980717T14:08:55 </dateTime.iso8601>",
        Value::from("19980717T14:08:55"),
    );
    read("<nil></nil>", Value::Null);
    read("<ex:nil xmlns:ex='http://ws.apache.org/xmlrpc/namespaces/extensions'/>", Value::Null);
    read("<array><data></data></array>", Value::List(vec![]));
    read("<struct/>", Value::Map(vec![]));
    let date =
        unpacked(&XmlRpc::default(), result("<dateTime.iso8601>1</dateTime.iso8601>").as_bytes());
    assert_eq!(date, Ok(DateTime("1".to_owned())));
    let map =
        there_and_back::<BTreeMap<i32, bool>>(&XmlRpc::default(), &BTreeMap::from([(-1, true)]));
    assert_eq!(map, Ok(BTreeMap::from([(-1, true)])));
}

#[test]
fn a_response_is_read_whoever_wrote_it() {
    let read = |xml: &str| unpacked::<Value>(&XmlRpc::default(), xml.as_bytes());
    assert_eq!(read(NIL), Ok(Value::Null));
    assert_eq!(
        read(&fault(4, "Too many parameters.")),
        Err("Too many parameters. (fault 4)".into())
    );
    let bom = format!(
        "\u{feff}{}",
        result("1").replace("version='1.0'", "version=\"1.0\" encoding='utf-8'")
    );
    assert_eq!(read(&bom), Ok(Value::from("1")));
    let broken = |xml: &str, why: &str| {
        let error = read(xml).unwrap_err();
        assert!(error.starts_with("a message cannot be read: ") && error.contains(why), "{error}");
    };
    broken("", "it ends inside");
    broken("<methodResponse/>", "ends where another should begin");
    broken("<methodResponse><params/></methodResponse>", "ends where another should begin");
    broken(&result("1</value></param><param><value>2"), "<param> has no business there");
    broken(&call("x", ""), "<methodCall> has no business there");
    broken(&fault(4, "no").replace("faultCode", "code"), "missing field `faultCode`");
    broken(&fault(4, "no").replace("<int>4</int>", "4"), "expected i32");
    broken("<html><body>no</body></html>", "no element \"html\"");
}

#[test]
fn a_document_says_how_it_is_encoded() {
    let read = |encoding: &str, text: &[u8]| {
        let xml = result("@").replace("'1.0'", &format!("'1.0' encoding='{encoding}'"));
        let (before, after) = xml.split_once('@').unwrap();
        let bytes = [before.as_bytes(), text, after.as_bytes()].concat();
        unpacked::<Value>(&XmlRpc::default(), &bytes)
    };
    for ascii in ["us-ascii", "US-ASCII", "ascii"] {
        assert_eq!(read(ascii, b"a&#233;"), Ok(Value::from("a\u{e9}")));
        assert_eq!(read(ascii, b"a\xe9").unwrap_err(), "a message cannot be read: no ASCII");
    }
    for latin1 in ["iso-8859-1", "ISO-8859-1", "latin1", "Latin1"] {
        assert_eq!(read(latin1, b"a\xe9\xff"), Ok(Value::from("a\u{e9}\u{ff}")));
    }
    assert_eq!(read("UTF-8", "a\u{e9}".as_bytes()), Ok(Value::from("a\u{e9}")));
    for other in ["utf-16", "windows-1252", ""] {
        let error = read(other, b"a").unwrap_err();
        assert!(error.contains(&format!("it is in {other:?}")), "{error}");
    }
    within("a call in Latin-1", || {
        let mut talk = Talk::new();
        let body = call("echo", &param("@")).replace("'1.0'", "'1.0' encoding='iso-8859-1'");
        let (before, after) = body.split_once('@').unwrap();
        let body = [before.as_bytes(), b"\xe9", after.as_bytes()].concat();
        let head = "POST / HTTP/1.1\r\nhost: test\r\ncontent-type: text/xml\r\n";
        let head = format!("{head}content-length: {}\r\n\r\n", body.len());
        talk.raw.send(&[head.as_bytes(), &body].concat());
        assert_eq!(talk.raw.response().body, result("<string>\u{e9}</string>"));
    });
}

#[test]
fn list_methods_lists_all() {
    within("a list", || {
        let server = Server::new(procedures()).protocol(XmlRpc::default());
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let channel = ninestep::Channel::new(server.address()).protocol(XmlRpc::default());
        let stub = ninestep::ClientStub::new(&channel).unwrap();
        let names: Vec<String> = stub.call("system.listMethods", ()).unwrap();
        assert!(names.is_sorted() && names.contains(&"system.listMethods".to_owned()), "{names:?}");
        assert_eq!(names.len(), procedures().names().count() + 1);
        stub.notify("noop", ()).unwrap();
        assert_eq!(stub.call::<i64>("add", (1, 2)).unwrap(), 3);
    });
}

#[test]
fn what_is_no_xml_is_a_parse_error() {
    talk(|talk| {
        let mut wrong = |body: &str, why: &str| {
            let (code, message) = talk.fault(body);
            assert_eq!(code, Fault::PARSE, "{body}: {message}");
            assert!(message.contains(why), "{body}: {message}");
        };
        let whole = call("sayHi", &param("<string>a&amp;b</string>"));
        let end = whole.rfind('>').unwrap();
        for torn in 0..end {
            wrong(&whole[..torn], "no XML that is read here");
        }
        wrong("no XML", "it ends inside");
        wrong(&format!("{whole}{whole}"), "a second");
        wrong(&whole.replace("</param>", "</params>"), "");
        wrong(&whole.replace("a&amp;b", "a\u{1}b"), "a character that XML does not have");
        wrong(&whole.replace("&amp;", "&#1;"), "a character that XML does not have");
        wrong(&whole.replace("&amp;", "&#x110000;"), "");
        wrong(&whole.replace("&amp;", "& "), "");
        wrong(&whole.replace("<string>", "<string a='1' a='2'>"), "");
        wrong(&whole.replace("'1.0'?", "'1.0' encoding='KOI8-R'?"), "it is in \"koi8-r\"");
        let ascii = whole.replace("'1.0'?", "'1.0' encoding='us-ascii'?");
        wrong(&ascii.replace("a&amp;b", "é"), "no ASCII");
        let long = format!("'1.0' encoding='{}'?", "x".repeat(10_000));
        let (_, message) = talk.fault(&whole.replace("'1.0'?", &long));
        assert!(message.len() < 1_000, "it quotes {} bytes", message.len());
    });
}

#[test]
fn document_types_and_entities_are_refused() {
    talk(|talk| {
        let laughs = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]>";
        let outside = "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>";
        for types in [laughs, outside, "<!DOCTYPE x>", "<!DOCTYPE x SYSTEM 'http://localhost/'>"] {
            let body = format!("<?xml version='1.0'?>{types}<methodCall/>");
            let (code, message) = talk.fault(&body);
            assert_eq!(code, Fault::PARSE);
            assert!(message.contains("a document type is refused"), "{message}");
        }
        let (code, message) = talk.fault(&call("sayHi", &param("&lol2;")));
        assert_eq!(code, Fault::PARSE);
        assert!(message.contains("an entity is refused"), "{message}");
    });
}

#[test]
fn bad_utf_8_is_a_parse_error() {
    within("bad UTF-8", || {
        let mut talk = Talk::new();
        let body = call("sayHi", &param("@"));
        let (before, after) = body.split_once('@').unwrap();
        let body = [before.as_bytes(), b"\xc3\x28", after.as_bytes()].concat();
        let head = "POST / HTTP/1.1\r\nhost: test\r\ncontent-type: text/xml\r\n";
        let head = format!("{head}content-length: {}\r\n\r\n", body.len());
        talk.raw.send(&[head.as_bytes(), &body].concat());
        let answer = talk.raw.response().body;
        assert!(answer.contains("<int>-32700</int>") && answer.contains("no UTF-8"), "{answer}");
        assert_eq!(talk.ask(&call("noop", "")), NIL);
    });
}

#[test]
fn what_is_no_call_is_an_invalid_call() {
    talk(|talk| {
        let mut wrong = |body: &str, why: &str| {
            let (code, message) = talk.fault(body);
            assert_eq!(code, Fault::INVALID_CALL, "{body}: {message}");
            assert!(message.contains(why), "{body}: {message}");
        };
        wrong("<methodCall/>", "ends where another should begin");
        wrong("<methodCall><params/></methodCall>", "&lt;params&gt; has no business there");
        wrong(&result("1"), "&lt;methodResponse&gt; has no business there");
        wrong("<methodCall><methodName>a<value/></methodName></methodCall>", "&lt;value&gt;");
        wrong("<methodCall><methodName>a</methodName>x</methodCall>", "a text where an element");
        wrong(&call("a", "<value/>"), "&lt;value&gt; has no business there");
        wrong(&call("a", &param("x<int>1</int>")), "&lt;int&gt; has no business there");
        wrong(&call("a", &param("<int>1</int>x")), "a text where");
        wrong(&call("a", &param("<int>1</int><int>2</int>")), "&lt;int&gt; has no business");
        wrong(&call("a", &param("<array/>")), "ends where another should begin");
        wrong(&call("a", &param("<struct><member><name>a</name></member></struct>")), "ends where");
        wrong(&call("a", &param("<long>1</long>")), "no element \"long\"");
        wrong(&call("a", &param("<member/>")), "&lt;member&gt; has no business there");
    });
}

#[test]
fn arguments_that_do_not_fit_are_wrong_arguments() {
    talk(|talk| {
        let mut wrong = |name: &str, params: &str, why: &str| {
            let (code, message) = talk.fault(&call(name, params));
            assert_eq!(code, Fault::WRONG_ARGUMENTS, "{name}: {message}");
            assert!(message.contains(why), "{name}: {message}");
        };
        wrong("add", &int(1), "argument 2 (b) is missing");
        wrong("add", &int(1).repeat(3), "3 arguments were given");
        wrong("add", &(int(1) + &param("two")), "argument 2 (b)");
        wrong("add", &(int(1) + &param("<double>2.0</double>")), "argument 2 (b)");
        wrong("byte", &int(128), "128");
        for number in [
            "<int>9223372036854775808</int>",
            "<i4>-9223372036854775809</i4>",
            "<i1>128</i1>",
            "<i2>-32769</i2>",
            "<i8>9223372036854775808</i8>",
            "<int/>",
            "<int>0x10</int>",
            "<int>1 2</int>",
            "<double>1e400</double>",
            "<double>nan</double>",
            "<double>inf</double>",
            "<boolean>true</boolean>",
            "<boolean>2</boolean>",
            "<nil>x</nil>",
            "<dateTime.iso8601/>",
        ] {
            wrong("echo", &param(number), "is no ");
        }
        for base64 in ["A", "AP8", "A*==", "AP9="] {
            wrong("echo", &param(&format!("<base64>{base64}</base64>")), "no base64");
        }
        let member = "<member><name>a</name><value>1</value></member>";
        wrong(
            "echo",
            &param(&format!("<struct>{}</struct>", member.repeat(2))),
            "\"a\" is given twice",
        );
        let deep = |depth| {
            format!(
                "{}{}",
                "<array><data><value>".repeat(depth),
                "</value></data></array>".repeat(depth)
            )
        };
        wrong("echo", &param(&deep(64)), "nest deeper than allowed");
        wrong("echo", &param(&deep(1_500)), "nest deeper than allowed");
        let (code, message) = talk.fault(&call("nowhere", ""));
        assert_eq!(
            (code, &*message),
            (Fault::NO_SUCH_PROCEDURE, "there is no procedure \"nowhere\"")
        );
        assert!(talk.ask(&call("echo", &param(&deep(63)))).contains("<params>"));
    });
}

#[test]
fn a_fault_is_sent_whatever_its_letters() {
    let failing = Procedures::new()
        .on("fail", || -> Result<(), Fault> { Err(Fault::new(1, "a\u{1}b\u{ffff}")) });
    within("letters", || {
        let server = Server::new(failing).protocol(XmlRpc::default());
        let server = ServerThread::run(server, ThreadPerConnection::default());
        let mut raw = HttpRaw::connect(server.address());
        raw.send(&post_with("/", "content-type: text/xml\r\n", &call("fail", "")));
        assert_eq!(raw.response().body, fault(1, "a\u{fffd}b\u{fffd}"));
    });
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(value in everything()) {
        prop_assert_eq!(there_and_back::<Everything>(&XmlRpc::default(), &value).unwrap(), value);
    }

    #[test]
    fn a_value_is_refused_or_comes_back(value in values()) {
        match echoed(&XmlRpc::default(), &(&value,)) {
            Ok(came) => prop_assert_eq!(came, Value::List(vec![value])),
            Err(why) => prop_assert!(
                why.contains("XML has no character") || why.contains("does not fit into")
                    || why.contains("not finite"), "{}", why),
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, text in "[<>/a-z&;#!\\[\\]? ]*") {
        read_everything(&XmlRpc::default(), &bytes);
        read_everything(&XmlRpc::default(), text.as_bytes());
    }

    #[test]
    fn damaged_messages_are_read_without_a_panic(
        value in everything(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = packed(&XmlRpc::default(), (value,)).unwrap().into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_everything(&XmlRpc::default(), &bytes);
    }
}
