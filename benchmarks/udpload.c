/* Sends or counts datagrams as fast as plain system calls allow, many per call, without offloads.
 *
 *     udpload send ADDRESS PORT SIZE SECONDS RATE    RATE datagrams a second, 0: as many as possible
 *     udpload receive PORT SECONDS                   begins to count with the first one
 *
 * Prints how many a second. Datagrams to send begin with 1 0 0 0, as a handshake initiation does; the
 * rest is different in each.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, MAX_SIZE = 2048 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static char buffers[BATCH][MAX_SIZE];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];

static void prepare(size_t size) {
    for (int i = 0; i < BATCH; i++) {
        parts[i].iov_base = buffers[i];
        parts[i].iov_len = size;
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
}

static int transmit(int socket, size_t size, double seconds, double rate) {
    uint64_t state = 88172645463325252u;
    long sent = 0;
    prepare(size);
    double begin = now(), end = begin + seconds, at = begin;
    while ((at = now()) < end) {
        if (rate > 0 && sent > (at - begin) * rate) {
            struct timespec pause = {0, 100000};
            nanosleep(&pause, NULL);
            continue;
        }
        for (int i = 0; i < BATCH; i++) {
            memcpy(buffers[i], "\1\0\0\0", 4);
            for (size_t j = 4; j + 8 <= size; j += 8) {
                state ^= state << 13, state ^= state >> 7, state ^= state << 17;
                memcpy(buffers[i] + j, &state, 8);
            }
        }
        int count = sendmmsg(socket, messages, BATCH, 0);
        if (count > 0)
            sent += count; /* an error, such as a closed port's answer, is the next call's business */
    }
    printf("%.0f\n", sent / (at - begin));
    return 0;
}

static int receive(int socket, double seconds) {
    long received = 0;
    double begin = 0, at = now(), give_up = at + 10;
    struct pollfd set = {.fd = socket, .events = POLLIN};
    prepare(MAX_SIZE);
    while ((at = now()) < (begin ? begin + seconds : give_up)) {
        if (poll(&set, 1, 50) <= 0)
            continue;
        int count = recvmmsg(socket, messages, BATCH, MSG_DONTWAIT, NULL);
        if (!begin)
            begin = at;
        if (count > 0)
            received += count;
    }
    printf("%.0f\n", received / seconds);
    return 0;
}

int main(int count, char **words) {
    int socket_ = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (count == 7 && !strcmp(words[1], "send")) {
        inet_pton(AF_INET, words[2], &address.sin_addr);
        address.sin_port = htons(atoi(words[3]));
        for (int i = 0; i < BATCH; i++) {
            messages[i].msg_hdr.msg_name = &address;
            messages[i].msg_hdr.msg_namelen = sizeof address;
        }
        return transmit(socket_, atoi(words[4]), atof(words[5]), atof(words[6]));
    }
    if (count == 4 && !strcmp(words[1], "receive")) {
        int size = 8 << 20;
        setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
        address.sin_port = htons(atoi(words[2]));
        if (bind(socket_, (struct sockaddr *)&address, sizeof address))
            return perror("bind"), 1;
        return receive(socket_, atof(words[3]));
    }
    fputs("usage: see the source\n", stderr);
    return 2;
}
