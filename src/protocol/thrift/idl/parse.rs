//! Reads Thrift files: words and marks, then declarations.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Enum, Field, Function, Idl, IdlError, Struct, Type};

/// How deep types may nest, and files include each other.
const MAX_DEPTH: usize = 64;

pub(super) fn load(path: &Path) -> Result<Idl, IdlError> {
    let text = fs::read_to_string(path).map_err(|error| IdlError::Unreadable {
        file: path.display().to_string(),
        why: error.to_string(),
    })?;
    let mut loader = Loader::default();
    loader.file(path, &text, true)?;
    Ok(loader.idl)
}

pub(super) fn parse(text: &str) -> Result<Idl, IdlError> {
    let mut loader = Loader::default();
    loader.file(Path::new("the Thrift text"), text, false)?;
    Ok(loader.idl)
}

/// What all files have in common.
#[derive(Default)]
struct Loader {
    idl: Idl,
    /// The files that were read, or are being read.
    files: HashMap<PathBuf, Option<Rc<Names>>>,
    depth: usize,
}

/// The names that one file declares.
type Names = HashMap<String, Named>;

#[derive(Clone)]
enum Named {
    Type(Type),
    Service,
}

impl Loader {
    fn file(&mut self, path: &Path, text: &str, may_include: bool) -> Result<Names, IdlError> {
        let tokens = Token::all(text).map_err(|line| IdlError::Wrong {
            file: path.display().to_string(),
            line,
            why: "a quotation or a comment has no end".to_owned(),
        })?;
        let file = File {
            loader: self,
            path,
            may_include,
            tokens: &tokens,
            at: 0,
            names: Names::new(),
            included: HashMap::new(),
        };
        file.read()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    /// A name, a keyword or a number.
    Word(&'t str),
    Quoted(&'t str),
    Mark(char),
}

impl<'t> Token<'t> {
    /// All tokens, each with its line. Fails with the line where something begins that has no end.
    fn all(text: &'t str) -> Result<Vec<(Token<'t>, usize)>, usize> {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
        let (mut tokens, mut rest, mut line) = (Vec::new(), text, 1);
        while let Some(first) = rest.chars().next() {
            let end_of = |end: &str| rest.get(end.len()..)?.find(end).map(|at| at + 2 * end.len());
            let (length, token) = if rest.starts_with("//") || first == '#' {
                (rest.find('\n').unwrap_or(rest.len()), None)
            } else if rest.starts_with("/*") {
                (rest.find("*/").ok_or(line)? + 2, None)
            } else if first == '"' || first == '\'' {
                let length = end_of(&rest[..1]).ok_or(line)?;
                (length, Some(Token::Quoted(&rest[1..length - 1])))
            } else if is_word(first) {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                (length, Some(Token::Word(&rest[..length])))
            } else {
                (first.len_utf8(), (!first.is_whitespace()).then_some(Token::Mark(first)))
            };
            tokens.extend(token.map(|token| (token, line)));
            line += rest[..length].matches('\n').count();
            rest = &rest[length..];
        }
        Ok(tokens)
    }
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Word(word) => f.write_str(word),
            Token::Quoted(text) => write!(f, "{text:?}"),
            Token::Mark(mark) => write!(f, "{mark}"),
        }
    }
}

/// One file while it is read.
struct File<'l, 't> {
    loader: &'l mut Loader,
    path: &'t Path,
    may_include: bool,
    tokens: &'t [(Token<'t>, usize)],
    at: usize,
    names: Names,
    included: HashMap<String, Rc<Names>>,
}

impl<'t> File<'_, 't> {
    fn read(mut self) -> Result<Names, IdlError> {
        self.reserve()?;
        while let Some((token, _)) = self.tokens.get(self.at) {
            let Token::Word(word) = *token else { return Err(self.unexpected("a declaration")) };
            self.at += 1;
            match word {
                "include" => self.include()?,
                "cpp_include" => self.pass_over(1)?,
                "namespace" => self.pass_over(2)?,
                "const" => {
                    self.of_type(MAX_DEPTH)?;
                    self.word("a name")?;
                    self.default_value()?;
                }
                "typedef" => {
                    let of = self.of_type(MAX_DEPTH)?;
                    let name = self.word("a name")?;
                    self.declare(name, Named::Type(of))?;
                }
                "enum" => self.enumeration()?,
                "struct" | "union" | "exception" => self.structure()?,
                "service" => self.service()?,
                _ => {
                    self.at -= 1;
                    return Err(self.unexpected("a declaration"));
                }
            }
            self.annotations()?;
            self.separator();
        }
        Ok(self.names)
    }

    /// Gives every struct and enum its place, because they may be named before they are declared.
    fn reserve(&mut self) -> Result<(), IdlError> {
        for (at, pair) in self.tokens.windows(2).enumerate() {
            let (Token::Word(keyword), Token::Word(name)) = (pair[0].0, pair[1].0) else {
                continue;
            };
            let of = match keyword {
                "struct" | "union" | "exception" => {
                    let fields = Vec::new();
                    self.loader.idl.structs.push(Struct { name: name.to_owned(), fields });
                    Type::Struct(self.loader.idl.structs.len() - 1)
                }
                "enum" => {
                    let values = Vec::new();
                    self.loader.idl.enums.push(Enum { name: name.to_owned(), values });
                    Type::Enum(self.loader.idl.enums.len() - 1)
                }
                _ => continue,
            };
            self.at = at + 2;
            self.declare(name, Named::Type(of))?;
        }
        self.at = 0;
        Ok(())
    }

    fn declare(&mut self, name: &str, named: Named) -> Result<(), IdlError> {
        match self.names.insert(name.to_owned(), named) {
            None => Ok(()),
            Some(_) => Err(self.wrong(format!("{name} is declared twice"))),
        }
    }

    fn include(&mut self) -> Result<(), IdlError> {
        let Some((Token::Quoted(name), _)) = self.tokens.get(self.at) else {
            return Err(self.unexpected("the name of a file"));
        };
        self.at += 1;
        if !self.may_include {
            return Err(self.wrong(format!("{name} cannot be included: this is no file")));
        }
        let path = self.path.parent().unwrap_or(Path::new("")).join(name);
        let read = path.canonicalize().and_then(|path| Ok((fs::read_to_string(&path)?, path)));
        let (text, whole_path) = read
            .map_err(|error| self.wrong(format!("{} cannot be read: {error}", path.display())))?;
        let names = match self.loader.files.get(&whole_path) {
            Some(Some(names)) => Rc::clone(names),
            Some(None) => return Err(self.wrong(format!("{name} includes itself"))),
            None if self.loader.depth == MAX_DEPTH => {
                return Err(self.wrong("files include each other too deeply".to_owned()));
            }
            None => {
                self.loader.files.insert(whole_path.clone(), None);
                self.loader.depth += 1;
                let names = Rc::new(self.loader.file(&path, &text, true)?);
                self.loader.depth -= 1;
                self.loader.files.insert(whole_path, Some(Rc::clone(&names)));
                names
            }
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.included.insert(stem, names);
        Ok(())
    }

    fn enumeration(&mut self) -> Result<(), IdlError> {
        let name = self.word("a name")?;
        self.mark('{')?;
        let (mut values, mut next) = (Vec::new(), 0_i32);
        while !self.is_mark('}') {
            let value = self.word("a name, or }")?.to_owned();
            if self.is_mark('=') {
                let number = self.word("a number")?;
                next = self.number(number)?;
            }
            values.push((value, next));
            next = next.wrapping_add(1);
            self.annotations()?;
            self.separator();
        }
        if let Some(Named::Type(Type::Enum(index))) = self.names.get(name) {
            self.loader.idl.enums[*index].values = values;
        }
        Ok(())
    }

    fn structure(&mut self) -> Result<(), IdlError> {
        let name = self.word("a name")?;
        self.mark('{')?;
        let fields = self.fields('}')?;
        if let Some(Named::Type(Type::Struct(index))) = self.names.get(name) {
            self.loader.idl.structs[*index].fields = fields;
        }
        Ok(())
    }

    fn service(&mut self) -> Result<(), IdlError> {
        let name = self.word("a name")?;
        self.declare(name, Named::Service)?;
        if self.is_word("extends") {
            let base = self.word("the name of a service")?;
            if !matches!(self.find(base), Some(Named::Service)) {
                return Err(self.wrong(format!("there is no service {base}")));
            }
        }
        self.mark('{')?;
        while !self.is_mark('}') {
            self.function()?;
        }
        Ok(())
    }

    fn function(&mut self) -> Result<(), IdlError> {
        let oneway = self.is_word("oneway");
        let result = if self.is_word("void") { None } else { Some(self.of_type(MAX_DEPTH)?) };
        let name = self.word("the name of a function")?;
        self.mark('(')?;
        let arguments = self.fields(')')?;
        let throws = if self.is_word("throws") {
            self.mark('(')?;
            self.fields(')')?
        } else {
            Vec::new()
        };
        let function = Function { oneway, result, arguments, throws };
        let functions = &mut self.loader.idl.functions;
        if functions.get(name).is_some_and(|known| *known != function) {
            return Err(self.wrong(format!("the function {name} is declared twice, differently")));
        }
        functions.insert(name.to_owned(), function);
        self.annotations()?;
        self.separator();
        Ok(())
    }

    fn fields(&mut self, end: char) -> Result<Vec<Field>, IdlError> {
        // Fields without numbers take -1, -2, … in turn.
        let (mut fields, mut unnumbered) = (Vec::<Field>::new(), 0_i32);
        while !self.is_mark(end) {
            let word = self.word("a field, or the end of the list")?;
            let is_number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
            let id = if is_number {
                let id = self.number(word)?;
                self.mark(':')?;
                id
            } else {
                self.at -= 1;
                unnumbered -= 1;
                i16::try_from(unnumbered).map_err(|_| self.wrong("too many fields".to_owned()))?
            };
            let _ = self.is_word("required") || self.is_word("optional");
            let of = self.of_type(MAX_DEPTH)?;
            let name = self.word("the name of a field")?.to_owned();
            if fields.iter().any(|field| field.id == id || field.name == name) {
                return Err(self.wrong(format!("field {id} or its name {name} comes twice")));
            }
            fields.push(Field { id, name, of });
            self.default_value()?;
            self.annotations()?;
            self.separator();
        }
        Ok(fields)
    }

    fn of_type(&mut self, depth: usize) -> Result<Type, IdlError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.wrong("types nest too deeply".to_owned()));
        };
        let name = self.word("a type")?;
        let of = match name {
            "bool" => Type::Bool,
            "byte" | "i8" => Type::Byte,
            "i16" => Type::I16,
            "i32" => Type::I32,
            "i64" => Type::I64,
            "double" => Type::Double,
            "string" => Type::Text,
            "binary" => Type::Binary,
            "uuid" => Type::Uuid,
            "list" | "set" => {
                self.mark('<')?;
                let item = Box::new(self.of_type(depth)?);
                self.mark('>')?;
                if name == "list" { Type::List(item) } else { Type::Set(item) }
            }
            "map" => {
                self.mark('<')?;
                let key = self.of_type(depth)?;
                self.mark(',')?;
                let value = self.of_type(depth)?;
                self.mark('>')?;
                Type::Map(Box::new((key, value)))
            }
            name => match self.find(name) {
                Some(Named::Type(of)) => of,
                _ => return Err(self.wrong(format!("there is no type {name}"))),
            },
        };
        self.annotations()?;
        Ok(of)
    }

    /// What a name stands for. One with a dot comes from the file whose name stands before it.
    fn find(&self, name: &str) -> Option<Named> {
        let named = match name.rsplit_once('.') {
            None => self.names.get(name),
            Some((stem, name)) => self.included.get(stem)?.get(name),
        };
        named.cloned()
    }

    fn pass_over(&mut self, count: usize) -> Result<(), IdlError> {
        let mut tokens = (0..count).map(|_| self.token());
        if tokens.any(|token| token.is_none()) {
            return Err(self.unexpected("a name"));
        }
        Ok(())
    }

    /// Passes over `= value`.
    fn default_value(&mut self) -> Result<(), IdlError> {
        if !self.is_mark('=') {
            return Ok(());
        }
        match self.token() {
            Some(Token::Mark('[' | '{')) => self.rest_of_brackets(),
            Some(Token::Word(_) | Token::Quoted(_)) => Ok(()),
            _ => {
                self.at -= 1;
                Err(self.unexpected("a value"))
            }
        }
    }

    /// Passes over `(name = "value", …)`.
    fn annotations(&mut self) -> Result<(), IdlError> {
        if self.is_mark('(') { self.rest_of_brackets() } else { Ok(()) }
    }

    /// Passes over everything to the end of the brackets that were opened.
    fn rest_of_brackets(&mut self) -> Result<(), IdlError> {
        let mut open = 1_usize;
        while open > 0 {
            match self.token() {
                Some(Token::Mark('[' | '{' | '(')) => open += 1,
                Some(Token::Mark(']' | '}' | ')')) => open -= 1,
                Some(_) => {}
                None => return Err(self.unexpected("a closing bracket")),
            }
        }
        Ok(())
    }

    fn separator(&mut self) {
        let _ = self.is_mark(',') || self.is_mark(';');
    }

    fn number<T: TryFrom<i64>>(&mut self, word: &str) -> Result<T, IdlError> {
        let (sign, digits) = match word.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", word.strip_prefix('+').unwrap_or(word)),
        };
        let number = match digits.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(&format!("{sign}{digits}"), 16).ok(),
            None => format!("{sign}{digits}").parse().ok(),
        };
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| {
            self.at -= 1;
            self.unexpected("a number in its range")
        })
    }

    fn token(&mut self) -> Option<Token<'t>> {
        let (token, _) = self.tokens.get(self.at)?;
        self.at += 1;
        Some(*token)
    }

    fn word(&mut self, what: &str) -> Result<&'t str, IdlError> {
        match self.tokens.get(self.at) {
            Some((Token::Word(word), _)) => {
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.unexpected(what)),
        }
    }

    fn mark(&mut self, mark: char) -> Result<(), IdlError> {
        if self.is_mark(mark) { Ok(()) } else { Err(self.unexpected(&mark.to_string())) }
    }

    /// Whether this mark is next. If so, it is taken.
    fn is_mark(&mut self, mark: char) -> bool {
        self.is_next(Token::Mark(mark))
    }

    fn is_word(&mut self, word: &str) -> bool {
        self.is_next(Token::Word(word))
    }

    fn is_next(&mut self, token: Token<'_>) -> bool {
        let is_next = self.tokens.get(self.at).is_some_and(|(next, _)| *next == token);
        self.at += usize::from(is_next);
        is_next
    }

    /// An error at the next token.
    fn unexpected(&self, expected: &str) -> IdlError {
        match self.tokens.get(self.at) {
            Some((token, line)) => self.error(*line, format!("expected {expected}, not {token}")),
            None => self.wrong(format!("expected {expected}, and the file ends")),
        }
    }

    /// An error at the last token that was taken.
    fn wrong(&self, why: String) -> IdlError {
        let taken = &self.tokens[..self.at.min(self.tokens.len())];
        self.error(taken.last().map_or(1, |(_, line)| *line), why)
    }

    fn error(&self, line: usize, why: String) -> IdlError {
        IdlError::Wrong { file: self.path.display().to_string(), line, why }
    }
}
