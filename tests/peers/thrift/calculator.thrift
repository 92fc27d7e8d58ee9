// What `19_thrift serve ADDR calculator` serves.

exception DivideByZero {
    1: string message
}

service Calculator {
    i64 add(1: i64 a, 2: i64 b)
    i64 subtract(1: i64 a, 2: i64 b)
    i64 multiply(1: i64 a, 2: i64 b)
    double divide(1: double a, 2: double b) throws (1: DivideByZero error)
    string echo(1: string value)
    oneway void notify(1: string text)
    i64 notified()
    void nothing()
}
