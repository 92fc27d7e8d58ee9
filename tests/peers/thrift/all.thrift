// What the tests' services declare.

exception DivideByZero { 1: string message }
exception NotFound { 1: i32 code, 2: string reason }
enum Color { RED = 1, GREEN = 5 }
struct Point { 1: i32 x, 2: i32 y, 4: optional string label }
service Base {
    i64 add(1: i64 a, 2: i64 b),
    double divide(1: double a, 2: double b) throws (1: DivideByZero e),
    string ping(),
    string login(1: string username, 2: string password),
    oneway void notify(1: string text),
    void nothing(),
    void find() throws (2: NotFound e),
}
service All extends Base {
    bool flag(1: bool b, 2: byte c, 3: i16 d, 4: i32 e, 5: double f),
    list<i64> reversed(9: i64 e, 3: i64 a),
    map<string, list<Point>> paths(
        1: set<i16> s, 3: Color color, 7: Point p, 9: map<i32, bool> m, 10: binary raw),
    void panic(),
    // Nobody implements this.
    void nowhere(),
}
