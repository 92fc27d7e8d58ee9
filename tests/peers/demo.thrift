// The demo services, as `ninestep serve --protocol thrift --idl tests/peers/demo.thrift` serves
// them. `echo` is not declared: it returns what comes, of whatever type.

exception DivideByZero {
    1: string message
}

exception Overflow {
    1: string message
}

service Demo {
    i64 add(1: i64 a, 2: i64 b) throws (2: Overflow overflow)
    i64 subtract(1: i64 a, 2: i64 b) throws (2: Overflow overflow)
    i64 multiply(1: i64 a, 2: i64 b) throws (2: Overflow overflow)
    double divide(1: double a, 2: double b) throws (1: DivideByZero zero)
    string ping()
    string login(1: string username, 2: string password)
    string sayHi(1: string name)
    string sayBye(1: string name)
    void sleep(1: i64 ms)
}
