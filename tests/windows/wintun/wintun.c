/* A wintun.dll without a driver: the public functions of Wintun 0.14, and instead of Windows' network stack
 * four functions for tests (StandIn...), which reach an adapter by its name from any thread of the process.
 *
 * One lock guards everything. Only the packets themselves are read and written without it, by who holds them.
 * What no careful program does (a packet given back twice, a closed handle) ends the process with a message. */
#include <winsock2.h>
#include <windows.h>
#include <ifdef.h>

#define MIN_CAPACITY 0x20000u
#define MAX_CAPACITY 0x4000000u
#define MAX_PACKET 0xFFFFu
#define MAX_NAME 128
#define ALIGNMENT 4u
#define HEADER 4u          /* a packet's size in front of it */
#define DONE 0x80000000u   /* in that size: its holder gave it back */
#define IF_TYPE_PROP_VIRTUAL 53

#define EXPORT __declspec(dllexport)

/* Positions go round: first <= middle <= end. Packets are appended at the end.
 *   received: first..middle the program has and did not release yet, middle..end waits for it.
 *   sent:     first..middle waits to be taken, middle..end the program allocated and did not send yet. */
typedef struct {
    DWORD capacity, first, middle, end;
    BYTE *data; /* longer than the capacity: the last packet is never split */
} ring;

typedef struct adapter adapter;

typedef struct {
    adapter *adapter;
    ring received, sent;
    HANDLE readable;
    BOOL removed;
} session;

struct adapter {
    adapter *next;
    WCHAR name[MAX_NAME];
    NET_LUID luid;
    DWORD handles;
    session *session;
    BOOL removed; /* no longer in the list */
};

typedef struct {
    adapter *adapter;
    BOOL creator; /* the adapter goes with this handle */
} handle;

typedef enum { LOG_INFO, LOG_WARN, LOG_ERR } level;
typedef void(CALLBACK *logger)(level, DWORD64, LPCWSTR);

static SRWLOCK lock = SRWLOCK_INIT;
static CONDITION_VARIABLE something_sent = CONDITION_VARIABLE_INIT;
static adapter *adapters;
static DWORD created;
static logger tell;

static void say(level severity, LPCWSTR text) {
    FILETIME now;
    if (!tell)
        return;
    GetSystemTimeAsFileTime(&now);
    tell(severity, (DWORD64)now.dwHighDateTime << 32 | now.dwLowDateTime, text);
}

static void misused(const char *message) {
    DWORD written;
    WriteFile(GetStdHandle(STD_ERROR_HANDLE), message, lstrlenA(message), &written, NULL);
    TerminateProcess(GetCurrentProcess(), 86);
}

static void *allocate(SIZE_T size) { return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size); }

static void release(void *memory) { HeapFree(GetProcessHeap(), 0, memory); }

static BOOL fail(DWORD error) {
    SetLastError(error);
    return FALSE;
}

/* Rings. */

static DWORD distance(const ring *r, DWORD from, DWORD to) { return (to - from) & (r->capacity - 1); }

static DWORD *size_at(const ring *r, DWORD position) { return (DWORD *)(r->data + position); }

static DWORD occupied(DWORD size) { return (HEADER + size + ALIGNMENT - 1) & ~(ALIGNMENT - 1); }

static DWORD after(const ring *r, DWORD position) {
    return (position + occupied(*size_at(r, position) & ~DONE)) & (r->capacity - 1);
}

static BOOL open_ring(ring *r, DWORD capacity) {
    r->capacity = capacity;
    r->data = VirtualAlloc(NULL, capacity + occupied(MAX_PACKET), MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    return r->data != NULL;
}

static void close_ring(ring *r) {
    if (r->data)
        VirtualFree(r->data, 0, MEM_RELEASE);
}

/* NULL: there is no room. A full ring keeps one unit free, or it would look empty. */
static BYTE *append(ring *r, DWORD size) {
    DWORD position = r->end, used = distance(r, r->first, r->end);
    if (occupied(size) > r->capacity - ALIGNMENT - used)
        return NULL;
    *size_at(r, position) = size;
    r->end = after(r, position);
    return r->data + position + HEADER;
}

/* The packets from *from to `to` are out of order what they like; *from stops at the first that is not done. */
static void give_back(ring *r, DWORD *from, DWORD to, const BYTE *packet) {
    DWORD position = *from;
    while (position != to && r->data + position + HEADER != packet)
        position = after(r, position);
    if (position == to || *size_at(r, position) & DONE)
        misused("wintun: this packet was not handed out, or was given back before\n");
    *size_at(r, position) |= DONE;
    while (*from != to && *size_at(r, *from) & DONE) {
        *size_at(r, *from) &= ~DONE;
        *from = after(r, *from);
    }
}

/* Adapters. */

static adapter *find(LPCWSTR name) {
    adapter *a = adapters;
    while (a && lstrcmpiW(a->name, name) != 0)
        a = a->next;
    return a;
}

static session *find_session(LPCWSTR name) {
    adapter *a = find(name);
    if (!a)
        SetLastError(ERROR_NOT_FOUND);
    else if (!a->session)
        SetLastError(ERROR_NOT_READY);
    return a ? a->session : NULL;
}

static void remove_adapter(adapter *a) {
    adapter **place = &adapters;
    if (a->removed)
        return;
    while (*place != a)
        place = &(*place)->next;
    *place = a->next;
    a->removed = TRUE;
    if (a->session) {
        a->session->removed = TRUE;
        SetEvent(a->session->readable);
    }
    WakeAllConditionVariable(&something_sent);
}

static handle *make_handle(adapter *a, BOOL creator) {
    handle *h = allocate(sizeof *h);
    if (h) {
        h->adapter = a;
        h->creator = creator;
        a->handles++;
    }
    return h;
}

/* Zero, or the error. */
static DWORD check_name(LPCWSTR name) {
    int length = name ? lstrlenW(name) : 0;
    if (length == 0 || length >= MAX_NAME)
        return ERROR_INVALID_PARAMETER;
    return CompareStringW(LOCALE_INVARIANT, 0, name, length < 4 ? length : 4, L"deny", 4) == CSTR_EQUAL
               ? ERROR_ACCESS_DENIED
               : ERROR_SUCCESS;
}

static handle *create(LPCWSTR name, DWORD *error) {
    adapter *a;
    handle *h;
    if (find(name)) {
        *error = ERROR_ALREADY_EXISTS;
        return NULL;
    }
    *error = ERROR_NOT_ENOUGH_MEMORY;
    if (!(a = allocate(sizeof *a)))
        return NULL;
    if (!(h = make_handle(a, TRUE))) {
        release(a);
        return NULL;
    }
    *error = ERROR_SUCCESS;
    lstrcpyW(a->name, name);
    a->luid.Info.NetLuidIndex = ++created;
    a->luid.Info.IfType = IF_TYPE_PROP_VIRTUAL;
    a->next = adapters;
    adapters = a;
    return h;
}

EXPORT handle *WINAPI WintunCreateAdapter(LPCWSTR name, LPCWSTR tunnel_type, const GUID *requested) {
    DWORD error = tunnel_type ? check_name(name) : ERROR_INVALID_PARAMETER;
    handle *h = NULL;
    (void)requested;
    if (!error) {
        AcquireSRWLockExclusive(&lock);
        h = create(name, &error);
        ReleaseSRWLockExclusive(&lock);
    }
    say(h ? LOG_INFO : LOG_ERR, h ? L"Created adapter" : L"Failed to create adapter");
    SetLastError(error);
    return h;
}

EXPORT handle *WINAPI WintunOpenAdapter(LPCWSTR name) {
    DWORD error = check_name(name);
    handle *h = NULL;
    if (!error) {
        AcquireSRWLockExclusive(&lock);
        adapter *a = find(name);
        error = a ? ERROR_NOT_ENOUGH_MEMORY : ERROR_NOT_FOUND;
        h = a ? make_handle(a, FALSE) : NULL;
        ReleaseSRWLockExclusive(&lock);
    }
    if (!h)
        say(LOG_ERR, L"Failed to open adapter");
    SetLastError(h ? ERROR_SUCCESS : error);
    return h;
}

EXPORT void WINAPI WintunCloseAdapter(handle *h) {
    adapter *a;
    if (!h)
        return;
    AcquireSRWLockExclusive(&lock);
    a = h->adapter;
    if (h->creator)
        remove_adapter(a);
    if (--a->handles == 0) {
        if (a->session)
            a->session->adapter = NULL;
        release(a);
    }
    release(h);
    ReleaseSRWLockExclusive(&lock);
}

EXPORT BOOL WINAPI WintunDeleteDriver(void) { return TRUE; }

EXPORT void WINAPI WintunGetAdapterLUID(handle *h, NET_LUID *luid) { *luid = h->adapter->luid; }

EXPORT DWORD WINAPI WintunGetRunningDriverVersion(void) {
    AcquireSRWLockShared(&lock);
    DWORD version = adapters ? 14 : 0; /* 0.14; it is loaded as long as there are adapters */
    ReleaseSRWLockShared(&lock);
    SetLastError(version ? ERROR_SUCCESS : ERROR_FILE_NOT_FOUND);
    return version;
}

EXPORT void WINAPI WintunSetLogger(logger new_logger) { tell = new_logger; }

/* Sessions. */

static void free_session(session *s) {
    close_ring(&s->received);
    close_ring(&s->sent);
    if (s->readable)
        CloseHandle(s->readable);
    release(s);
}

EXPORT session *WINAPI WintunStartSession(handle *h, DWORD capacity) {
    DWORD error = ERROR_SUCCESS;
    session *s;
    if (capacity < MIN_CAPACITY || capacity > MAX_CAPACITY || capacity & (capacity - 1)) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (!(s = allocate(sizeof *s))) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    s->readable = CreateEventW(NULL, FALSE, FALSE, NULL); /* resets itself */
    if (!s->readable || !open_ring(&s->received, capacity) || !open_ring(&s->sent, capacity))
        error = ERROR_NOT_ENOUGH_MEMORY;
    AcquireSRWLockExclusive(&lock);
    if (!error && h->adapter->removed)
        error = ERROR_FILE_NOT_FOUND;
    if (!error && h->adapter->session)
        error = ERROR_ALREADY_INITIALIZED;
    if (!error) {
        s->adapter = h->adapter;
        h->adapter->session = s;
    }
    ReleaseSRWLockExclusive(&lock);
    if (error) {
        free_session(s);
        s = NULL;
    }
    SetLastError(error);
    return s;
}

EXPORT void WINAPI WintunEndSession(session *s) {
    AcquireSRWLockExclusive(&lock);
    if (s->adapter)
        s->adapter->session = NULL;
    free_session(s);
    ReleaseSRWLockExclusive(&lock);
}

EXPORT HANDLE WINAPI WintunGetReadWaitEvent(session *s) { return s->readable; }

static BYTE *receive(session *s, DWORD *size, DWORD *error) {
    ring *r = &s->received;
    DWORD position = r->middle, unread = distance(r, position, r->end);
    if (unread == 0) {
        *error = s->removed ? ERROR_HANDLE_EOF : ERROR_NO_MORE_ITEMS;
        return NULL;
    }
    *size = *size_at(r, position);
    if (*size > MAX_PACKET || occupied(*size) > unread) {
        *error = ERROR_INVALID_DATA;
        return NULL;
    }
    r->middle = after(r, position);
    return r->data + position + HEADER;
}

EXPORT BYTE *WINAPI WintunReceivePacket(session *s, DWORD *size) {
    DWORD error = ERROR_SUCCESS;
    AcquireSRWLockExclusive(&lock);
    BYTE *packet = receive(s, size, &error);
    ReleaseSRWLockExclusive(&lock);
    SetLastError(error);
    return packet;
}

EXPORT void WINAPI WintunReleaseReceivePacket(session *s, const BYTE *packet) {
    AcquireSRWLockExclusive(&lock);
    give_back(&s->received, &s->received.first, s->received.middle, packet);
    ReleaseSRWLockExclusive(&lock);
}

EXPORT BYTE *WINAPI WintunAllocateSendPacket(session *s, DWORD size) {
    DWORD error = ERROR_SUCCESS;
    BYTE *packet = NULL;
    AcquireSRWLockExclusive(&lock);
    if (size > MAX_PACKET)
        error = ERROR_INVALID_PARAMETER;
    else if (s->removed)
        error = ERROR_HANDLE_EOF;
    else if (!(packet = append(&s->sent, size)))
        error = ERROR_BUFFER_OVERFLOW;
    ReleaseSRWLockExclusive(&lock);
    SetLastError(error);
    return packet;
}

EXPORT void WINAPI WintunSendPacket(session *s, const BYTE *packet) {
    AcquireSRWLockExclusive(&lock);
    give_back(&s->sent, &s->sent.middle, s->sent.end, packet);
    ReleaseSRWLockExclusive(&lock);
    WakeAllConditionVariable(&something_sent);
}

/* The other end, for tests. FALSE comes with GetLastError: ERROR_NOT_FOUND (no such adapter), ERROR_NOT_READY
 * (nobody has a session on it), and what each says. */

/* As the driver does, the event is set only for the first packet of a ring where none waits to be received. */
static BOOL deliver(LPCWSTR name, const BYTE *packet, DWORD size, DWORD told_size) {
    session *s = find_session(name);
    BOOL was_empty;
    BYTE *room;
    if (!s)
        return FALSE;
    was_empty = s->received.middle == s->received.end;
    if (!(room = append(&s->received, size)))
        return fail(ERROR_BUFFER_OVERFLOW);
    CopyMemory(room, packet, size);
    *(DWORD *)(room - HEADER) = told_size;
    if (was_empty)
        SetEvent(s->readable);
    return TRUE;
}

/* Windows sends this packet into the adapter. ERROR_BUFFER_OVERFLOW: the ring is full, the packet is lost. */
EXPORT BOOL WINAPI StandInInject(LPCWSTR name, const BYTE *packet, DWORD size) {
    if (size > MAX_PACKET)
        return fail(ERROR_INVALID_PARAMETER);
    AcquireSRWLockExclusive(&lock);
    BOOL done = deliver(name, packet, size, size);
    ReleaseSRWLockExclusive(&lock);
    return done;
}

/* What comes next in the ring has an impossible size. */
EXPORT BOOL WINAPI StandInCorrupt(LPCWSTR name) {
    AcquireSRWLockExclusive(&lock);
    BOOL done = deliver(name, NULL, 0, 0x7FFFFFFF);
    ReleaseSRWLockExclusive(&lock);
    return done;
}

static BOOL take(session *s, BYTE *buffer, DWORD *size) {
    ring *r = &s->sent;
    DWORD length = *size_at(r, r->first);
    if (length > *size)
        return fail(ERROR_INSUFFICIENT_BUFFER);
    CopyMemory(buffer, r->data + r->first + HEADER, length);
    *size = length;
    r->first = after(r, r->first);
    return TRUE;
}

/* The next packet that the program sent; *size is the buffer's, then the packet's. ERROR_TIMEOUT: there was none. */
EXPORT BOOL WINAPI StandInTake(LPCWSTR name, BYTE *buffer, DWORD *size, DWORD milliseconds) {
    ULONGLONG now = GetTickCount64(), deadline = now + milliseconds;
    BOOL done = FALSE;
    session *s;
    AcquireSRWLockExclusive(&lock);
    while ((s = find_session(name)) && s->sent.first == s->sent.middle) {
        now = GetTickCount64();
        if (now >= deadline) {
            SetLastError(ERROR_TIMEOUT);
            break;
        }
        SleepConditionVariableSRW(&something_sent, &lock, (DWORD)(deadline - now), 0);
    }
    if (s && s->sent.first != s->sent.middle)
        done = take(s, buffer, size);
    ReleaseSRWLockExclusive(&lock);
    return done;
}

/* The adapter goes, as when somebody deletes it: its session receives what is in the ring, then the end. */
EXPORT BOOL WINAPI StandInRemove(LPCWSTR name) {
    AcquireSRWLockExclusive(&lock);
    adapter *a = find(name);
    if (a)
        remove_adapter(a);
    ReleaseSRWLockExclusive(&lock);
    return a ? TRUE : fail(ERROR_NOT_FOUND);
}
