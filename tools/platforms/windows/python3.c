/* python3.dll: nothing but what its .def file forwards (forwarders.py). */
typedef int nothing;
