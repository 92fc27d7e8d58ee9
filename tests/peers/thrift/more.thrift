// The demo services, and what a client may ask for besides: nobody serves it, or nobody declares it.
include "../demo.thrift"

service More extends demo.Demo {
    void nowhere()
    void panic()
}
