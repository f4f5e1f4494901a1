/* python.exe: all of CPython is in python311.dll, beside it. */
#include <windows.h>

typedef int (*py_main)(int, wchar_t **);

int wmain(int argc, wchar_t **argv) {
    HMODULE library = LoadLibraryW(L"python311.dll");
    FARPROC start = library ? GetProcAddress(library, "Py_Main") : NULL;
    return start ? ((py_main)(void (*)(void))start)(argc, argv) : 111;
}
