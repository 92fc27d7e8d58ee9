//! How a procedure's name becomes a method's, and the reverse.

/// Whether a method's name and a procedure's are the same but for the case of letters and for
/// underscores: `SayHello`, `sayHello` and `say_hello` are.
pub(super) fn is_same(method: &str, procedure: &str) -> bool {
    letters(method).eq(letters(procedure))
}

fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
}

/// `/Greeter/SayHello` for `sayHello` and `say_hello`, as methods are named by custom.
pub(super) fn path(service: &str, procedure: &str) -> String {
    let mut path = String::with_capacity(2 + service.len() + procedure.len());
    path.extend(["/", service, "/"]);
    let mut begins = true;
    for letter in procedure.chars() {
        match letter {
            '_' => begins = true,
            letter if begins => {
                path.push(letter.to_ascii_uppercase());
                begins = false;
            }
            letter => path.push(letter),
        }
    }
    path
}
