struct Point {
    1: i64 x
    2: i64 y
    3: optional string label
}

union Figure {
    1: Point Dot
    2: double Square
}

struct Tree {
    1: i16 value
    2: list<Tree> children
}

enum Color {
    Red = 0
    Green = 1
    Blue = 2
}

struct StringAndListPoint {
    1: string item1
    2: list<Point> item2
}

service Shapes {
    // any is left out: Thrift has no type for any value.
    double area(1: Figure figure)
    map<string, i64> count(1: string letters)
    i16 depth(1: Tree tree)
    i16 first(1: list<i16> numbers)
    Color following(1: Color color)
    // mixed is left out: some of Mixed's variants hold something, and some do not.
    StringAndListPoint named(1: string argument1, 2: list<Point> argument2)
    Point shift(1: Point point, 2: i64 by)
    // sum is left out: it takes any number of arguments.
}
