service Demo {
    i64 add(1: i64 a, 2: i64 b)
    double divide(1: double a, 2: double b)
    // echo is left out: Thrift has no type for any value.
    string login(1: string username, 2: string password)
    i64 multiply(1: i64 a, 2: i64 b)
    string ping()
    string sayBye(1: string name)
    string sayHi(1: string name)
    void sleep(1: i64 ms)
    i64 subtract(1: i64 a, 2: i64 b)
}
