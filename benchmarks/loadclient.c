/* A load client that is not the bottleneck: N attached readers and K HTTP publishers in one epoll loop.
 *
 *   loadclient PORT SUBS PUBS SECONDS WARMUP_S ROOM ACK_MS [TOKEN_FILE]
 *
 * Readers speak attach.v1 (IDENTIFY, PONG, and one cumulative ACK each ACK_MS milliseconds; 0 = never).
 * Publishers keep one POST /v1/messages outstanding each (closed loop). Prints one JSON object.
 * "lost" counts acknowledged messages x readers minus deliveries after a drain of at most 5 s.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { READER, PUBLISHER };
enum { READ_CHUNK = 1 << 18, SUB_BUCKETS = 32, BUCKETS = 40 * SUB_BUCKETS, SAMPLE = 16 };

typedef struct {
    int fd, kind;
    uint8_t *buf;
    size_t have, cap;
    char cursor[80];
    int unacked;
    uint64_t sent_ns;
    uint64_t deliveries;
} Conn;

typedef struct {
    uint64_t counts[BUCKETS], total;
} Histogram;

static Conn *conns;
static int port, subs, pubs;
static const char *room;
static char token[256];
static uint64_t acks, deliveries, failures, seq_no, all_acks, all_deliveries, pings;
static Histogram ack_hist, delivery_hist;
static int measuring, publishing = 1;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void record(Histogram *h, uint64_t ns) {
    uint64_t us = ns / 1000;
    int exp = us ? 63 - __builtin_clzll(us) : 0;
    int sub = exp >= 5 ? (int)((us >> (exp - 5)) & 31) : (int)(us & 31);
    int index = exp >= 5 ? exp * SUB_BUCKETS + sub : (int)us;
    if (index >= BUCKETS) index = BUCKETS - 1;
    h->counts[index]++;
    h->total++;
}

static double quantile_ms(const Histogram *h, double q) {
    uint64_t want = (uint64_t)(q * (double)h->total), seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > want) {
            int exp = i / SUB_BUCKETS, sub = i % SUB_BUCKETS;
            double us = exp >= 5 ? (double)((32ull + (uint64_t)sub) << (exp - 5)) : (double)i;
            return us / 1000.0;
        }
    }
    return 0.0;
}

static void write_all(int fd, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    while (size) {
        ssize_t n = write(fd, at, size);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR) continue;
            die("write");
        }
        at += n;
        size -= (size_t)n;
    }
}

static void send_text(int fd, const char *text, size_t size) {
    uint8_t frame[2048];
    size_t head = 2;
    frame[0] = 0x81;
    if (size < 126) {
        frame[1] = (uint8_t)(0x80 | size);
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (uint8_t)(size >> 8);
        frame[3] = (uint8_t)size;
        head = 4;
    }
    memset(frame + head, 0, 4); /* a mask of zeros masks nothing */
    memcpy(frame + head + 4, text, size);
    write_all(fd, frame, head + 4 + size);
}

static int dial(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void authorization(char *out, size_t cap) {
    if (token[0]) snprintf(out, cap, "Authorization: Bearer %s\r\n", token);
    else out[0] = 0;
}

static void fill(Conn *c) {
    if (c->cap - c->have < READ_CHUNK / 4) {
        c->cap = c->cap ? c->cap * 2 : 65536;
        c->buf = realloc(c->buf, c->cap);
    }
}

static int blocking_read(Conn *c) {
    fill(c);
    ssize_t n = read(c->fd, c->buf + c->have, c->cap - c->have);
    if (n <= 0) die("read during handshake");
    c->have += (size_t)n;
    return (int)n;
}

/* Take one whole frame off the buffer; 0 when there is none. */
static int take_frame(Conn *c, size_t *at, uint8_t **payload, size_t *size, int *opcode) {
    uint8_t *b = c->buf + *at;
    size_t left = c->have - *at, head = 2, n;
    if (left < 2) return 0;
    *opcode = b[0] & 15;
    n = b[1] & 127;
    if (n == 126) {
        if (left < 4) return 0;
        n = (size_t)b[2] << 8 | b[3];
        head = 4;
    } else if (n == 127) {
        if (left < 10) return 0;
        n = 0;
        for (int i = 2; i < 10; i++) n = n << 8 | b[i];
        head = 10;
    }
    if (left < head + n) return 0;
    *payload = b + head;
    *size = n;
    *at += head + n;
    return 1;
}

static void on_frame(Conn *c, uint8_t *p, size_t size, int opcode) {
    if (opcode == 9) {
        uint8_t pong[6 + 125] = {0x8a, (uint8_t)(0x80 | size)};
        memcpy(pong + 6, p, size);
        write_all(c->fd, pong, 6 + size);
        return;
    }
    if (opcode != 1 || size < 16) return;
    if (p[7] == 'P') {
        static const char pong[] = "{\"op\":\"PONG\",\"version\":\"moltnet.attach.v1\"}";
        send_text(c->fd, pong, sizeof pong - 1);
        pings++;
        return;
    }
    if (p[7] == 'E' && p[8] == 'R') {
        fprintf(stderr, "%.*s\n", (int)size, p);
        failures++;
        return;
    }
    if (p[7] != 'E') return;
    /* Both stand at the same place in every EVENT: found once, then only looked at. */
    static size_t cursor_at, type_at;
    static const char cursor_key[] = "\"cursor\":\"", type_key[] = "\"type\":\"message.created\"";
    if (!cursor_at || size < cursor_at || memcmp(p + cursor_at, cursor_key, sizeof cursor_key - 1)) {
        uint8_t *found = memmem(p, size, cursor_key, sizeof cursor_key - 1);
        if (!found) return;
        cursor_at = (size_t)(found - p);
    }
    memcpy(c->cursor, p + cursor_at + sizeof cursor_key - 1, sizeof c->cursor - 1);
    c->unacked = 1;
    if (!type_at || size < type_at + sizeof type_key || memcmp(p + type_at, type_key, sizeof type_key - 1)) {
        uint8_t *found = memmem(p, size, type_key, sizeof type_key - 1);
        if (!found) return;
        type_at = (size_t)(found - p);
    }
    all_deliveries++;
    c->deliveries++;
    if (!measuring) return;
    deliveries++;
    if (deliveries % SAMPLE == 0) {
        uint8_t *stamp = memmem(p, size, "ts=", 3);
        if (stamp) record(&delivery_hist, now_ns() - strtoull((char *)stamp + 3, NULL, 10));
    }
}

static void attach(Conn *c, int number) {
    char head[1024], auth[320], text[512];
    c->kind = READER;
    c->fd = dial();
    authorization(auth, sizeof auth);
    int n = snprintf(head, sizeof head,
                     "GET /v1/attach HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                     port, auth);
    write_all(c->fd, head, (size_t)n);
    uint8_t *end;
    do blocking_read(c);
    while (!(end = memmem(c->buf, c->have, "\r\n\r\n", 4)));
    if (memcmp(c->buf, "HTTP/1.1 101", 12)) {
        fprintf(stderr, "%.*s\n", (int)c->have, c->buf);
        exit(1);
    }
    size_t at = (size_t)(end + 4 - c->buf), size;
    memmove(c->buf, c->buf + at, c->have -= at);
    n = snprintf(text, sizeof text,
                 "{\"op\":\"IDENTIFY\",\"version\":\"moltnet.attach.v1\",\"network_id\":\"local\","
                 "\"agent\":{\"type\":\"agent\",\"id\":\"reader-%d\"},\"capabilities\":{}}",
                 number);
    send_text(c->fd, text, (size_t)n);
    for (int ready = 0; !ready;) {
        uint8_t *p;
        int opcode;
        at = 0;
        while (take_frame(c, &at, &p, &size, &opcode)) {
            if (memmem(p, size, "\"READY\"", 7)) ready = 1;
            else on_frame(c, p, size, opcode);
        }
        memmove(c->buf, c->buf + at, c->have -= at);
        if (!ready) blocking_read(c);
    }
}

static void publish(Conn *c) {
    char body[640], request[1400], auth[320], pad[161];
    memset(pad, 'x', 160);
    pad[160] = 0;
    c->sent_ns = now_ns();
    int size = snprintf(body, sizeof body,
                        "{\"id\":\"load-%d-%llu\",\"target\":{\"kind\":\"room\",\"room_id\":\"%s\"},"
                        "\"from\":{\"type\":\"human\",\"id\":\"operator\"},\"parts\":[{\"kind\":\"text\",\"text\":\"ts=%llu %s\"}]}",
                        getpid(), (unsigned long long)seq_no++, room, (unsigned long long)c->sent_ns, pad);
    authorization(auth, sizeof auth);
    int n = snprintf(request, sizeof request,
                     "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%sContent-Type: application/json\r\n"
                     "Content-Length: %d\r\n\r\n%s",
                     port, auth, size, body);
    write_all(c->fd, request, (size_t)n);
}

static void on_response(Conn *c) {
    for (;;) {
        uint8_t *end = memmem(c->buf, c->have, "\r\n\r\n", 4);
        if (!end) return;
        *end = 0;
        char *length = strcasestr((char *)c->buf, "content-length:");
        size_t body = length ? strtoul(length + 15, NULL, 10) : 0, head = (size_t)(end + 4 - c->buf);
        *end = '\r';
        if (c->have < head + body) return;
        if (!memcmp(c->buf + 9, "202", 3)) {
            all_acks++;
            if (measuring) {
                acks++;
                record(&ack_hist, now_ns() - c->sent_ns);
            }
        } else if (failures++ == 0) {
            fprintf(stderr, "%.*s\n", (int)(head + body), c->buf);
        }
        memmove(c->buf, c->buf + head + body, c->have -= head + body);
        if (publishing) publish(c);
    }
}

static void on_readable(Conn *c) {
    fill(c);
    ssize_t n = read(c->fd, c->buf + c->have, c->cap - c->have);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        fprintf(stderr, "connection closed by the hub\n");
        exit(1);
    }
    if (n < 0) return;
    c->have += (size_t)n;
    if (c->kind == PUBLISHER) {
        on_response(c);
        return;
    }
    uint8_t *p;
    size_t at = 0, size;
    int opcode;
    while (take_frame(c, &at, &p, &size, &opcode)) on_frame(c, p, size, opcode);
    if (at) memmove(c->buf, c->buf + at, c->have -= at);
}

static void acknowledge(void) {
    char text[256];
    for (int i = 0; i < subs; i++)
        if (conns[i].unacked) {
            conns[i].cursor[strcspn(conns[i].cursor, "\"")] = 0;
            int n = snprintf(text, sizeof text, "{\"op\":\"ACK\",\"version\":\"moltnet.attach.v1\",\"cursor\":\"%s\"}", conns[i].cursor);
            send_text(conns[i].fd, text, (size_t)n);
            conns[i].unacked = 0;
        }
}

int main(int argc, char **argv) {
    if (argc < 8) {
        fprintf(stderr, "usage: loadclient PORT SUBS PUBS SECONDS WARMUP_S ROOM ACK_MS [TOKEN_FILE]\n");
        return 2;
    }
    port = atoi(argv[1]);
    subs = atoi(argv[2]);
    pubs = atoi(argv[3]);
    double seconds = atof(argv[4]), warmup = atof(argv[5]);
    room = argv[6];
    uint64_t ack_ns = strtoull(argv[7], NULL, 10) * 1000000ull;
    if (argc > 8) {
        FILE *f = fopen(argv[8], "r");
        if (!f || !fgets(token, sizeof token, f)) die("token file");
        token[strcspn(token, "\n")] = 0;
        fclose(f);
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    conns = calloc((size_t)(subs + pubs), sizeof *conns);
    int poll_fd = epoll_create1(0);
    for (int i = 0; i < subs + pubs; i++) {
        Conn *c = &conns[i];
        if (i < subs) attach(c, i);
        else {
            c->kind = PUBLISHER;
            c->fd = dial();
        }
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &e);
        /* Those that are attached must answer pings while the others still attach. */
        struct epoll_event early[512];
        for (int n = epoll_wait(poll_fd, early, 512, 0), k = 0; k < n; k++) on_readable(early[k].data.ptr);
    }
    fprintf(stderr, "attached %d\n", subs);
    for (int i = subs; i < subs + pubs; i++) publish(&conns[i]);
    uint64_t start = now_ns(), begin = start + (uint64_t)(warmup * 1e9), stop = begin + (uint64_t)(seconds * 1e9);
    uint64_t drained = stop + 5000000000ull, next_ack = start + ack_ns;
    struct epoll_event events[512];
    for (;;) {
        int n = epoll_wait(poll_fd, events, 512, 5);
        for (int i = 0; i < n; i++) on_readable(events[i].data.ptr);
        uint64_t t = now_ns();
        if (ack_ns && t >= next_ack) {
            acknowledge();
            next_ack = t + ack_ns;
        }
        if (!measuring && publishing && t >= begin) measuring = 1;
        if (publishing && t >= stop) measuring = publishing = 0;
        if (!publishing && (all_deliveries >= all_acks * (uint64_t)subs || t >= drained)) {
            static uint64_t settle;
            if (!settle) settle = t + 200000000ull;
            if (t >= settle) break;
        }
    }
    printf("{\"subs\":%d,\"pubs\":%d,\"seconds\":%.3f,\"acks\":%llu,\"deliveries\":%llu,\"acks_per_s\":%.0f,"
           "\"deliveries_per_s\":%.0f,\"failures\":%llu,\"lost\":%lld,\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,"
           "\"delivery_p50_ms\":%.3f,\"delivery_p99_ms\":%.3f}\n",
           subs, pubs, seconds, (unsigned long long)acks, (unsigned long long)deliveries, (double)acks / seconds,
           (double)deliveries / seconds, (unsigned long long)failures,
           (long long)(all_acks * (uint64_t)subs) - (long long)all_deliveries, quantile_ms(&ack_hist, 0.5),
           quantile_ms(&ack_hist, 0.99), quantile_ms(&delivery_hist, 0.5), quantile_ms(&delivery_hist, 0.99));
    return failures || all_deliveries != all_acks * (uint64_t)subs;
}
