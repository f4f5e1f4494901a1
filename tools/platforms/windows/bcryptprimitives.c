/* bcryptprimitives.dll, which Rust's standard library wants and wine 8 has not. */
#include <windows.h>

#define RtlGenRandom SystemFunction036
BOOLEAN NTAPI RtlGenRandom(void *, ULONG);

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *data, SIZE_T size) {
    while (size > 0) {
        ULONG part = size < 0x10000000 ? (ULONG)size : 0x10000000;
        if (!RtlGenRandom(data, part))
            return FALSE;
        data += part;
        size -= part;
    }
    return TRUE;
}
