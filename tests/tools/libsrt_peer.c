/* A peer made of libsrt: sends or receives numbered, timed messages and reports what it saw.
 *
 * Lives here: one process against the library Debian ships, told everything by key=value
 * arguments, answering with JSON lines on standard output: {"listening": port} or
 * {"connected": n, "km_state": [sending, receiving, either]} when it is ready, and at its end one line of results.
 * Never here: any judgement; the tests and the benchmark judge.
 *
 * A message begins with its number and the moment it was handed to the library (CLOCK_MONOTONIC,
 * nanoseconds), both little-endian and 64 bits wide; the rest is a byte pattern that is checked.
 * A sender stays until all is acknowledged.  In live mode libsrt does not send its last packets again when they are
 * lost, for nobody knows that they are missing: while nothing gets acknowledged it sends `TAIL`, a message that
 * receivers of either make neither count nor write, so that the other side knows.  Its result says how many of them it
 * sent (tail), and how many packets nobody had acknowledged for `patience` seconds at its end (unacknowledged).
 * With in=PATH or out=PATH the messages are pieces of a file instead and nothing is checked; with by_file=1
 * the library sends or receives the file itself, `count` bytes of it, and tells the peer if the disk fails.
 * With ttl=MS and in_order=1 messages are sent so.
 * With tell=SECONDS a receiver says that often how far it is: {"at": monotonic seconds, "got": bytes}.
 * With rehearse=SECONDS a sender first does for so long, before it connects, everything but sending, and tells what
 * share of a core that takes (own_core, percent): what of its processor time is not the library's.
 * With turn_away=1 a listener refuses every caller, with the code that is its stream id.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <srt/srt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LARGEST_MESSAGE (1 << 20)
#define MOST_CONNECTIONS 2048
#define MOST_SAMPLES (1 << 22)
#define HEAD 16
#define TAIL "the tail message" /* as long as a head; no number is as large as this is as one */

/* What the command line said. */
static const char *mode = "listener", *role = "receive", *host = "127.0.0.1", *in_path, *out_path;
static int port, local_port, size = 1316, connections = 1, burst = 1, check = 1, share_port, keep_open_ms;
static int turn_away, by_file, in_order, ttl = -1, is_live = 1;
static int64_t rate, count; /* bytes a second (0: as fast as it goes), messages (0: endless) */
static double seconds, settle = 0.2, tell, rehearse, own_core;
static double patience = 10; /* seconds without an acknowledgement; less than any test's patience with us */

/* What happened. */
static SRTSOCKET peers[MOST_CONNECTIONS];
static uint64_t expected[MOST_CONNECTIONS];
static int opened, ended;
static int64_t messages, bytes, missing, repeated, damaged, failed_sends, peer_errors, tail, unacknowledged;
static uint32_t *samples;
static size_t sampled;
static double began, first_at, last_at;
static double looked_at, told_at;
static struct rusage before;
static SRT_TRACEBSTATS all;
static volatile sig_atomic_t stop;

static struct option {
    const char *name;
    SRT_SOCKOPT code;
    enum { INT, WIDE, FLAG, TEXT, TRANSTYPE } type;
} const options[] = {
    {"mss", SRTO_MSS, INT}, {"fc", SRTO_FC, INT}, {"sndbuf", SRTO_SNDBUF, INT}, {"rcvbuf", SRTO_RCVBUF, INT},
    {"udp_sndbuf", SRTO_UDP_SNDBUF, INT}, {"udp_rcvbuf", SRTO_UDP_RCVBUF, INT}, {"maxbw", SRTO_MAXBW, WIDE},
    {"inputbw", SRTO_INPUTBW, WIDE}, {"mininputbw", SRTO_MININPUTBW, WIDE}, {"oheadbw", SRTO_OHEADBW, INT},
    {"latency", SRTO_LATENCY, INT}, {"rcvlatency", SRTO_RCVLATENCY, INT}, {"peerlatency", SRTO_PEERLATENCY, INT},
    {"tlpktdrop", SRTO_TLPKTDROP, FLAG}, {"snddropdelay", SRTO_SNDDROPDELAY, INT}, {"nakreport", SRTO_NAKREPORT, FLAG},
    {"lossmaxttl", SRTO_LOSSMAXTTL, INT}, {"payloadsize", SRTO_PAYLOADSIZE, INT}, {"streamid", SRTO_STREAMID, TEXT},
    {"passphrase", SRTO_PASSPHRASE, TEXT}, {"pbkeylen", SRTO_PBKEYLEN, INT}, {"kmrefreshrate", SRTO_KMREFRESHRATE, INT},
    {"kmpreannounce", SRTO_KMPREANNOUNCE, INT}, {"packetfilter", SRTO_PACKETFILTER, TEXT},
    {"congestion", SRTO_CONGESTION, TEXT}, {"messageapi", SRTO_MESSAGEAPI, FLAG}, {"tsbpdmode", SRTO_TSBPDMODE, FLAG},
    {"transtype", SRTO_TRANSTYPE, TRANSTYPE}, {"conntimeo", SRTO_CONNTIMEO, INT},
    {"peeridletimeo", SRTO_PEERIDLETIMEO, INT}, {"minversion", SRTO_MINVERSION, INT},
    {"sender", SRTO_SENDER, FLAG}, {"enforcedencryption", SRTO_ENFORCEDENCRYPTION, FLAG}, {"retransmitalgo", SRTO_RETRANSMITALGO, INT},
    {"drifttracer", SRTO_DRIFTTRACER, FLAG}, {"ipttl", SRTO_IPTTL, INT}, {"iptos", SRTO_IPTOS, INT},
    {"sndtimeo", SRTO_SNDTIMEO, INT}, {"rcvtimeo", SRTO_RCVTIMEO, INT},
    {"cryptomode", (SRT_SOCKOPT)62, INT}, /* SRTO_CRYPTOMODE, where the library has AES-GCM */
};
static const char *chosen[64];
static int choices;

static void die(const char *what) {
    printf("{\"error\": \"%s: %s\"}\n", what, srt_getlasterror_str());
    fflush(stdout);
    exit(2);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(double when) {
    struct timespec t = {(time_t)when, (long)((when - (double)(time_t)when) * 1e9)};
    while (!stop && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

static void on_signal(int signal_number) {
    (void)signal_number;
    stop = 1;
}

static void set_option(SRTSOCKET s, const char *name, const char *value) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const struct option *o = &options[i];
        int number = atoi(value);
        int64_t wide = atoll(value);
        bool flag = number != 0;
        SRT_TRANSTYPE kind = strcmp(value, "file") ? SRTT_LIVE : SRTT_FILE;
        const void *at = o->type == WIDE ? (void *)&wide : o->type == FLAG ? (void *)&flag : (void *)&number;
        int length = o->type == WIDE ? sizeof wide : o->type == FLAG ? sizeof flag : sizeof number;
        if (strcmp(o->name, name))
            continue;
        if (o->type == TEXT)
            at = value, length = (int)strlen(value);
        if (o->type == TRANSTYPE)
            at = &kind, length = sizeof kind;
        if (srt_setsockflag(s, o->code, at, length) == SRT_ERROR)
            die(name);
        return;
    }
    die(name);
}

static SRTSOCKET new_socket(void) {
    SRTSOCKET s = srt_create_socket();
    for (int pass = 0; pass < 2; pass++) /* transtype presets others: it goes first */
        for (int i = 0; i < choices; i++) {
            char name[64];
            const char *equals = strchr(chosen[i], '=');
            snprintf(name, sizeof name, "%.*s", (int)(equals - chosen[i]), chosen[i]);
            if ((strcmp(name, "transtype") == 0) == (pass == 0))
                set_option(s, name, equals + 1);
        }
    struct linger none = {0, 0}; /* libsrt's default too: we have stayed until all was acknowledged, or said so */
    if (is_live && srt_setsockflag(s, SRTO_LINGER, &none, sizeof none) == SRT_ERROR)
        die("linger");
    return s;
}

static struct sockaddr_in address(const char *name, int number) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    inet_pton(AF_INET, name, &a.sin_addr);
    return a;
}

/* Refuse a caller with the code it asks for. */
static int refuse(void *opaque, SRTSOCKET caller, int version, const struct sockaddr *from, const char *stream_id) {
    (void)opaque, (void)version, (void)from;
    if (srt_setrejectreason(caller, atoi(stream_id)) == SRT_ERROR)
        printf("{\"error\": \"no such code: %s\"}\n", stream_id), fflush(stdout);
    return -1;
}

/* Open `connections` connections: dial them, or listen and accept them. */
static SRTSOCKET open_all(void) {
    struct sockaddr_in there = address(host, port);
    int length = sizeof there;
    if (strcmp(mode, "caller") == 0) {
        for (; opened < connections && !stop; opened++) {
            SRTSOCKET s = peers[opened] = new_socket();
            struct sockaddr_in here = address("127.0.0.1", local_port);
            if ((local_port || share_port) && srt_bind(s, (struct sockaddr *)&here, sizeof here) == SRT_ERROR)
                die("bind");
            if (srt_connect(s, (struct sockaddr *)&there, sizeof there) == SRT_ERROR) {
                printf("{\"refused\": %d, \"text\": \"%s\"}\n", srt_getrejectreason(s), srt_getlasterror_str());
                fflush(stdout);
                exit(3);
            }
            if (share_port && !local_port) {
                int size_of = sizeof here;
                srt_getsockname(s, (struct sockaddr *)&here, &size_of);
                local_port = ntohs(here.sin_port);
            }
        }
        return SRT_INVALID_SOCK;
    }
    SRTSOCKET listener = new_socket();
    if (turn_away)
        srt_listen_callback(listener, refuse, NULL);
    if (srt_bind(listener, (struct sockaddr *)&there, length) == SRT_ERROR || srt_listen(listener, 512) == SRT_ERROR)
        die("listen");
    srt_getsockname(listener, (struct sockaddr *)&there, &length);
    printf("{\"listening\": %d}\n", ntohs(there.sin_port));
    fflush(stdout);
    for (; opened < connections && !stop; opened++)
        if ((peers[opened] = srt_accept(listener, NULL, NULL)) == SRT_INVALID_SOCK)
            die("accept");
    return listener;
}

/* How the first connection stands with its encryption. */
static int km_state(SRT_SOCKOPT which) {
    int state = -1, length = sizeof state;
    srt_getsockflag(peers[0], which, &state, &length);
    return state;
}

static void note_latency(uint64_t sent_ns) {
    uint64_t taken = now_ns() - sent_ns;
    if (sampled < MOST_SAMPLES)
        samples[sampled++] = (uint32_t)(taken / 1000 > UINT32_MAX ? UINT32_MAX : taken / 1000);
}

static int index_of(SRTSOCKET s) {
    static int last;
    for (int tried = 0; tried < opened; tried++, last = (last + 1) % opened)
        if (peers[last] == s)
            return last;
    return -1;
}

static void judge(int peer, const char *data, int length) {
    uint64_t number, stamp;
    memcpy(&number, data, 8);
    memcpy(&stamp, data + 8, 8);
    if (length < HEAD || number > UINT64_C(1) << 40 || (length > HEAD && (uint8_t)data[length - 1] != (uint8_t)number)) {
        damaged++;
        return;
    }
    if (number < expected[peer])
        repeated++;
    else {
        missing += (int64_t)(number - expected[peer]);
        expected[peer] = number + 1;
    }
    note_latency(stamp);
}

static void took(int peer, const char *data, int length, FILE *out) {
    if (length == HEAD && memcmp(data, TAIL, HEAD) == 0)
        return;
    last_at = now();
    if (!messages++)
        first_at = last_at;
    bytes += length;
    if (tell > 0 && last_at - told_at >= tell) {
        told_at = last_at;
        printf("{\"at\": %.6f, \"got\": %lld}\n", last_at, (long long)bytes);
        fflush(stdout);
    }
    if (out)
        fwrite(data, 1, (size_t)length, out);
    else if (check)
        judge(peer, data, length);
}

static int is_over(void) {
    return stop || (count && messages >= count) || (seconds > 0 && first_at > 0 && now() - first_at > seconds);
}

/* Sum the statistics of all connections; a broken connection has none, so look while they live. */
static void look_at_stats(void) {
    SRT_TRACEBSTATS sum;
    memset(&sum, 0, sizeof sum);
    for (int i = 0; i < opened; i++) {
        SRT_TRACEBSTATS one;
        if (srt_bstats(peers[i], &one, 0) == SRT_ERROR)
            return;
        sum.pktSentTotal += one.pktSentTotal, sum.pktSentUniqueTotal += one.pktSentUniqueTotal;
        sum.pktRetransTotal += one.pktRetransTotal, sum.pktSndLossTotal += one.pktSndLossTotal;
        sum.pktSndDropTotal += one.pktSndDropTotal, sum.pktRecvTotal += one.pktRecvTotal;
        sum.pktRecvUniqueTotal += one.pktRecvUniqueTotal, sum.pktRcvLossTotal += one.pktRcvLossTotal;
        sum.pktRcvDropTotal += one.pktRcvDropTotal, sum.pktRcvBelated += one.pktRcvBelated;
        sum.pktRcvUndecryptTotal += one.pktRcvUndecryptTotal, sum.msRTT += one.msRTT / opened;
        sum.pktSentACKTotal += one.pktSentACKTotal, sum.pktRecvACKTotal += one.pktRecvACKTotal;
        sum.pktSentNAKTotal += one.pktSentNAKTotal, sum.pktRecvNAKTotal += one.pktRecvNAKTotal;
        sum.msRcvTsbPdDelay = one.msRcvTsbPdDelay, sum.msSndTsbPdDelay = one.msSndTsbPdDelay;
        sum.pktRcvRetrans += one.pktRcvRetrans;
    }
    all = sum;
    looked_at = now();
}

static void receive_one(FILE *out) {
    static char data[LARGEST_MESSAGE];
    int timeout = 100;
    srt_setsockflag(peers[0], SRTO_RCVTIMEO, &timeout, sizeof timeout);
    while (!is_over()) {
        int length = srt_recvmsg2(peers[0], data, sizeof data, NULL);
        if (length > 0)
            took(0, data, length, out);
        else if (length == 0 || srt_getlasterror(NULL) != SRT_ETIMEOUT)
            break;
        if (length < 0 || last_at - looked_at > 0.25)
            look_at_stats();
    }
}

/* Have the library move a file: `count` bytes, in one call. */
static void move_file(void) {
    int64_t offset = 0, moved;
    first_at = now();
    if (strcmp(role, "send") == 0)
        moved = srt_sendfile(peers[0], in_path, &offset, count, SRT_DEFAULT_SENDFILE_BLOCK);
    else
        moved = srt_recvfile(peers[0], out_path, &offset, count, SRT_DEFAULT_RECVFILE_BLOCK);
    last_at = now();
    if (moved == SRT_ERROR)
        failed_sends++, peer_errors += srt_getlasterror(NULL) == SRT_EPEERERR;
    else
        bytes = moved;
    look_at_stats();
}

static void receive_many(void) {
    static char data[LARGEST_MESSAGE];
    static SRT_EPOLL_EVENT ready[MOST_CONNECTIONS];
    int poll = srt_epoll_create(), events = SRT_EPOLL_IN | SRT_EPOLL_ERR;
    bool no = false;
    for (int i = 0; i < opened; i++) {
        srt_setsockflag(peers[i], SRTO_RCVSYN, &no, sizeof no);
        srt_epoll_add_usock(poll, peers[i], &events);
    }
    while (!is_over() && ended < opened) {
        int found = srt_epoll_uwait(poll, ready, MOST_CONNECTIONS, 100);
        if (found <= 0 || last_at - looked_at > 1.0)
            look_at_stats();
        for (int i = 0; i < found; i++) {
            int length, peer = index_of(ready[i].fd);
            while ((length = srt_recvmsg2(ready[i].fd, data, sizeof data, NULL)) > 0)
                took(peer, data, length, NULL);
            if (length == 0 || srt_getlasterror(NULL) != SRT_EASYNCRCV) {
                srt_epoll_remove_usock(poll, ready[i].fd);
                ended++;
            }
        }
    }
}

static void fill(char *data, uint64_t number) {
    uint64_t stamp = now_ns();
    memset(data + HEAD, (int)(number & 0xff), (size_t)(size > HEAD ? size - HEAD : 0));
    memcpy(data, &number, 8);
    memcpy(data + 8, &stamp, 8);
}

/* Do what a sender does at this rate but for the sending. */
static void rehearse_sending(void) {
    static char data[LARGEST_MESSAGE];
    double start = now();
    clock_t used = clock();
    for (int64_t turn = 0; !stop && now() - start < rehearse; turn++) {
        if (turn % burst == 0)
            sleep_until(start + (double)turn * size / (double)rate);
        fill(data, (uint64_t)turn);
    }
    own_core = 100.0 * (double)(clock() - used) / CLOCKS_PER_SEC / (now() - start);
}

/* Send at `rate` over all connections in turn, `burst` messages each time we wake. */
static void send_all(FILE *in) {
    static char data[LARGEST_MESSAGE];
    static uint64_t numbers[MOST_CONNECTIONS];
    double start = first_at = now();
    for (int64_t turn = 0; !stop && !(count && messages >= count); turn++) {
        int peer = (int)(turn % opened), length = size;
        if (rate && turn % burst == 0)
            sleep_until(start + (double)turn * size / (double)rate);
        if (seconds > 0 && now() - start >= seconds)
            break;
        if (in && (length = (int)fread(data, 1, (size_t)size, in)) <= 0)
            break;
        if (!in)
            fill(data, numbers[peer]);
        int done = 0;
        while (done < length) { /* a stream takes what fits */
            SRT_MSGCTRL control = srt_msgctrl_default;
            control.msgttl = ttl, control.inorder = in_order;
            int n = srt_sendmsg2(peers[peer], data + done, length - done, &control);
            if (n <= 0)
                break;
            done += n;
        }
        if (done < length) {
            failed_sends++;
            if (srt_getlasterror(NULL) == SRT_EPEERERR && ++peer_errors)
                break;
            if (srt_getsockstate(peers[peer]) != SRTS_CONNECTED && ++ended >= opened)
                break;
            continue;
        }
        numbers[peer]++;
        messages++;
        bytes += length;
        last_at = now();
    }
}

/* Return how many packets of a connection nobody has acknowledged; as before, if that can no longer be asked. */
static size_t waiting_of(SRTSOCKET s, size_t before) {
    size_t blocks = before;
    return srt_getsndbuffer(s, &blocks, NULL) == SRT_ERROR ? before : blocks;
}

static int is_anybody_there(void) {
    for (int i = 0; i < opened; i++)
        if (srt_getsockstate(peers[i]) == SRTS_CONNECTED)
            return 1;
    return 0;
}

/* Stay until everything counted is acknowledged, and until the other side has gone or for `keep_open_ms`,
   so that it can be played. */
static void wait_until_safe(void) {
    for (int i = 0; i < opened && !stop; i++) {
        size_t added = 0, waiting = waiting_of(peers[i], 0), least = waiting;
        double limit = now() + patience;
        for (int looks = 1; !stop && waiting > added && now() < limit; looks++) {
            usleep(5000);
            waiting = waiting_of(peers[i], waiting);
            if (srt_getsockstate(peers[i]) != SRTS_CONNECTED)
                break;
            if (waiting < least)
                limit = now() + patience, looks = 0, least = waiting;
            else if (is_live && looks % 4 == 0 && srt_sendmsg(peers[i], TAIL, HEAD, -1, 0) == HEAD)
                added++, waiting++;
        }
        waiting = waiting_of(peers[i], waiting);
        tail += (int64_t)added;
        unacknowledged += waiting > added ? (int64_t)(waiting - added) : 0;
    }
    for (double limit = now() + keep_open_ms / 1000.0; !stop && now() < limit && is_anybody_there(); usleep(20000))
        look_at_stats();
}

static int by_size(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return (one > other) - (one < other);
}

static double percentile(double share) {
    return sampled ? (double)samples[(size_t)((double)(sampled - 1) * share)] : 0.0;
}

static double cpu(struct timeval from, struct timeval to) {
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_usec - from.tv_usec) / 1e6;
}

/* The most memory this program has held, in kB; ru_maxrss would count the parent's too. */
static long largest_memory(void) {
    char line[256];
    long kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %ld", &kilobytes) == 1)
            break;
    if (status)
        fclose(status);
    return kilobytes;
}

static void report(double wall) {
    struct rusage after;
    double mean = 0, active = last_at > first_at ? last_at - first_at : 0;
    getrusage(RUSAGE_SELF, &after);
    qsort(samples, sampled, sizeof *samples, by_size);
    for (size_t i = 0; i < sampled; i++)
        mean += samples[i];
    printf("{\"library\": \"libsrt %d.%d.%d\", \"role\": \"%s\", \"connections\": %d, \"messages\": %lld, "
           "\"bytes\": %lld, \"seconds\": %.6f, \"mbit_s\": %.3f, \"missing\": %lld, \"repeated\": %lld, "
           "\"damaged\": %lld, \"failed_sends\": %lld, \"peer_errors\": %lld, \"tail\": %lld, "
           "\"unacknowledged\": %lld, ",
           (int)(srt_getversion() >> 16), (int)(srt_getversion() >> 8 & 255), (int)(srt_getversion() & 255), role,
           opened, (long long)messages, (long long)bytes, active, active > 0 ? (double)bytes * 8e-6 / active : 0.0,
           (long long)missing, (long long)repeated, (long long)damaged, (long long)failed_sends,
           (long long)peer_errors, (long long)tail, (long long)unacknowledged);
    printf("\"latency_us\": {\"samples\": %zu, \"mean\": %.1f, \"min\": %.0f, \"p50\": %.0f, \"p90\": %.0f, "
           "\"p99\": %.0f, \"p999\": %.0f, \"max\": %.0f}, ",
           sampled, sampled ? mean / (double)sampled : 0.0, percentile(0), percentile(.5), percentile(.9),
           percentile(.99), percentile(.999), percentile(1));
    printf("\"wall\": %.4f, \"cpu_user\": %.4f, \"cpu_system\": %.4f, \"max_rss_kb\": %ld, "
           "\"own_core\": %.3f, ", wall,
           cpu(before.ru_utime, after.ru_utime), cpu(before.ru_stime, after.ru_stime), largest_memory(), own_core);
    printf("\"stats\": {\"sent\": %lld, \"sent_unique\": %lld, \"retransmitted\": %d, \"send_loss\": %d, "
           "\"send_drop\": %d, \"received\": %lld, \"received_unique\": %lld, \"receive_loss\": %d, "
           "\"receive_drop\": %d, \"belated\": %lld, \"undecrypted\": %d, \"rtt_ms\": %.3f, \"acks_sent\": %d, "
           "\"acks_received\": %d, \"naks_sent\": %d, \"naks_received\": %d, \"latency_ms\": %d, "
           "\"receive_retransmitted\": %d}}\n",
           (long long)all.pktSentTotal, (long long)all.pktSentUniqueTotal, all.pktRetransTotal,
           all.pktSndLossTotal, all.pktSndDropTotal, (long long)all.pktRecvTotal,
           (long long)all.pktRecvUniqueTotal, all.pktRcvLossTotal, all.pktRcvDropTotal,
           (long long)all.pktRcvBelated, all.pktRcvUndecryptTotal, all.msRTT, all.pktSentACKTotal,
           all.pktRecvACKTotal, all.pktSentNAKTotal, all.pktRecvNAKTotal,
           strcmp(role, "send") ? all.msRcvTsbPdDelay : all.msSndTsbPdDelay, all.pktRcvRetrans);
    fflush(stdout);
}

static void learn(const char *argument) {
    static const struct {
        const char *name;
        int *number;
        int64_t *wide;
        double *real;
        const char **text;
    } keys[] = {
        {"mode", NULL, NULL, NULL, &mode}, {"role", NULL, NULL, NULL, &role}, {"host", NULL, NULL, NULL, &host},
        {"in", NULL, NULL, NULL, &in_path}, {"out", NULL, NULL, NULL, &out_path}, {"port", &port, NULL, NULL, NULL},
        {"local_port", &local_port, NULL, NULL, NULL}, {"size", &size, NULL, NULL, NULL},
        {"connections", &connections, NULL, NULL, NULL}, {"burst", &burst, NULL, NULL, NULL},
        {"check", &check, NULL, NULL, NULL}, {"share_port", &share_port, NULL, NULL, NULL},
        {"turn_away", &turn_away, NULL, NULL, NULL}, {"by_file", &by_file, NULL, NULL, NULL},
        {"in_order", &in_order, NULL, NULL, NULL}, {"ttl", &ttl, NULL, NULL, NULL},
        {"keep_open_ms", &keep_open_ms, NULL, NULL, NULL}, {"rate", NULL, &rate, NULL, NULL},
        {"count", NULL, &count, NULL, NULL}, {"seconds", NULL, NULL, &seconds, NULL},
        {"settle", NULL, NULL, &settle, NULL}, {"rehearse", NULL, NULL, &rehearse, NULL}, {"tell", NULL, NULL, &tell, NULL}, {"patience", NULL, NULL, &patience, NULL},
    };
    const char *equals = strchr(argument, '=');
    if (!equals) {
        fprintf(stderr, "arguments are key=value, not %s\n", argument);
        exit(2);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strlen(keys[i].name) != (size_t)(equals - argument) || strncmp(keys[i].name, argument, (size_t)(equals - argument)))
            continue;
        if (keys[i].number)
            *keys[i].number = atoi(equals + 1);
        if (keys[i].wide)
            *keys[i].wide = atoll(equals + 1);
        if (keys[i].real)
            *keys[i].real = atof(equals + 1);
        if (keys[i].text)
            *keys[i].text = equals + 1;
        return;
    }
    if (strcmp(argument, "transtype=file") == 0)
        is_live = 0;
    if (choices < 64)
        chosen[choices++] = argument; /* an option of the library */
}

int main(int argc, char **argv) {
    FILE *in = NULL, *out = NULL;
    for (int i = 1; i < argc; i++)
        learn(argv[i]);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    if (connections < 1 || connections > MOST_CONNECTIONS || size < 1 || size > LARGEST_MESSAGE) {
        fprintf(stderr, "connections or size out of range\n");
        return 2;
    }
    if ((in_path && !(in = fopen(in_path, "rb"))) || (out_path && !(out = fopen(out_path, "wb")))) {
        perror("open");
        return 2;
    }
    samples = malloc(MOST_SAMPLES * sizeof *samples);
    if (rehearse > 0 && rate > 0 && strcmp(role, "send") == 0)
        rehearse_sending();
    srt_startup();
    srt_setloglevel(LOG_ERR);
    SRTSOCKET listener = open_all();
    printf("{\"connected\": %d, \"km_state\": [%d, %d, %d]}\n", opened, km_state(SRTO_SNDKMSTATE),
           km_state(SRTO_RCVKMSTATE), km_state(SRTO_KMSTATE));
    fflush(stdout);
    sleep_until(now() + settle);
    getrusage(RUSAGE_SELF, &before);
    began = now();
    if (by_file)
        move_file();
    else if (strcmp(role, "send") == 0)
        send_all(in);
    else if (strcmp(role, "idle") == 0)
        sleep_until(now() + (seconds > 0 ? seconds : 3600));
    else if (opened == 1)
        receive_one(out);
    else
        receive_many();
    if (strcmp(role, "send") == 0)
        wait_until_safe();
    if (!ended)
        look_at_stats();
    if (out)
        fclose(out);
    report(now() - began);
    for (int i = 0; i < opened; i++)
        srt_close(peers[i]);
    if (listener != SRT_INVALID_SOCK)
        srt_close(listener);
    srt_cleanup();
    return 0;
}
