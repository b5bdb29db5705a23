/* job_screen.c: what a job shows on rank 0: a line of progress while it runs
 * (standard error), a table and where the results lie at its end (standard
 * output). The table is read from the sink's file, which is the truth. With
 * --verbose all ranks tell first what they are (standard error).
 */
#include "api/job_run.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAVE_NS = 1000 * 1000 * 1000, WORD_COLUMNS = 60 };

/* mpirun gives its ranks pipes or terminals of its own: what the person has,
 * aimss launch says. */
static bool on_terminal(void)
{
    const char *told = getenv("AIMSS_LAUNCH_TERMINAL");

    return told != NULL ? strcmp(told, "1") == 0 : isatty(STDERR_FILENO) != 0;
}

void job_screen_decisions(const struct aimss_runtime *rt)
{
    const struct net *net = rt->net;
    unsigned rank = net->rank, node = net->node_of[net->rank];

    if (!options_flag(rt->options, "verbose"))
        return;
    if (rt->role == AIMSS_ROLE_COORDINATOR)
        diag(DIAG_NOTE, "rank %u on node %u coordinates %u brokers and %u compute ranks, run %u",
             rank, node, net->broker_count, net->compute_count, rt->run);
    else if (rt->role == AIMSS_ROLE_BROKER)
        diag(DIAG_NOTE, "rank %u on node %u is a broker: %s of %llu bytes, %llu I/O threads", rank,
             node, rt->arena.shm.name, (unsigned long long)rt->arena.shm.len_bytes,
             (unsigned long long)options_number(rt->options, "io-threads"));
    else
        diag(DIAG_NOTE, "rank %u on node %u computes: %u workers, %llu bytes of state", rank, node,
             rt->workers, (unsigned long long)options_number(rt->options, "state-memory"));
}

void job_screen_start(struct job_screen *screen, const struct aimss_runtime *rt)
{
    const char *when = options_text(rt->options, "progress");
    bool quiet = options_flag(rt->options, "quiet");

    *screen = (struct job_screen){ .started_ns = env_now_ns(rt->env) };
    screen->progress = strcmp(when, "always") == 0 ||
                       (strcmp(when, "auto") == 0 && !quiet && on_terminal());
}

/* "1.23 GB": three digits and a unit of a thousand. */
static const char *human(double value, char text[32])
{
    static const char units[] = " kMGTPE";
    unsigned unit = 0;

    while (value >= 999.5 && unit < sizeof units - 2) {
        value /= 1000;
        unit++;
    }
    snprintf(text, 32, value < 9.995 && unit > 0 ? "%.2f %.*s" : value < 99.95 && unit > 0
                                                                     ? "%.1f %.*s" : "%.0f %.*s",
             value, unit > 0, &units[unit]);
    return text;
}

static void save_progress(struct job_screen *screen, struct aimss_runtime *rt,
                          const struct coordinator_report *report, uint64_t now)
{
    struct job_progress progress = { .run = rt->run, .records = report->records_done,
                                     .bytes = report->bytes_done,
                                     .bytes_total = report->bytes_total,
                                     .seconds = (double)(now - screen->started_ns) / 1e9 };

    if (rt->dir == NULL || now - screen->saved_ns < SAVE_NS)
        return;
    screen->saved_ns = now;
    if (jobdir_write_progress(rt->dir, &progress) != AIMSS_OK)
        diag(DIAG_WARNING, "%s", error_text()); /* a full disk ends the job soon enough */
}

static void print_progress(const struct coordinator_report *report, double seconds)
{
    double rate = (double)report->bytes_done / seconds;
    double left = rate > 0 ? (double)(report->bytes_total - report->bytes_done) / rate : 0;
    char done[32], total[32], per_second[32];

    human((double)report->bytes_done, done);
    human((double)report->bytes_total, total);
    human(rate, per_second);
    if (report->bytes_done == report->bytes_total) /* the rest has no measure */
        fprintf(stderr, "\r100 %%  %sB read  sorting and writing \033[K", total);
    else
        fprintf(stderr, "\r%3.0f %%  %sB of %sB  %sB/s  %.0f s left \033[K",
                100.0 * (double)report->bytes_done / (double)report->bytes_total, done, total,
                per_second, left);
    fflush(stderr);
}

void job_screen_progress(struct job_screen *screen, struct aimss_runtime *rt)
{
    struct coordinator_report report;
    uint64_t now = env_now_ns(rt->env);
    double seconds = (double)(now - screen->started_ns) / 1e9;

    coordinator_report(rt->coordinator, &report);
    if (report.bytes_done > report.bytes_total) /* what was pushed has headers, too */
        report.bytes_done = report.bytes_total;
    save_progress(screen, rt, &report, now);
    if (!screen->progress || report.bytes_total == 0 || seconds < 0.2)
        return;
    print_progress(&report, seconds);
    screen->shown = true;
}

void job_screen_clear(struct job_screen *screen)
{
    if (screen->shown)
        fprintf(stderr, "\r\033[K");
    screen->shown = false;
}

/* One line of the table; what a terminal could take for a command is shown as a dot. */
static void print_line(const char *line, size_t len, int width)
{
    const char *tab = memrchr(line, '\t', len);
    size_t word = tab != NULL ? (size_t)(tab - line) : len;
    size_t shown = word < WORD_COLUMNS ? word : WORD_COLUMNS;

    printf("  %*.*s  ", width, tab != NULL ? (int)(len - word - 1) : 0, tab != NULL ? tab + 1 : "");
    for (size_t i = 0; i < shown; i++)
        putchar((unsigned char)line[i] < 32 || line[i] == 127 ? '.' : line[i]);
    printf("%s\n", shown < word ? "..." : "");
}

static void print_table(const char *path, unsigned lines)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    int width = 0;

    for (unsigned n = 0; file != NULL && n < lines && (len = getline(&line, &room, file)) > 0;
         n++) {
        const char *tab;

        len -= line[len - 1] == '\n';
        tab = memrchr(line, '\t', (size_t)len);
        if (width == 0 && tab != NULL) /* an ordered table's first count is its longest, mostly */
            width = (int)(len - (tab - line) - 1);
        print_line(line, (size_t)len, width);
    }
    free(line);
    if (file != NULL)
        fclose(file);
}

static unsigned table_lines(const struct aimss_runtime *rt, const struct aimss_job *job)
{
    unsigned lines = 0;

    for (unsigned n = 0; n < job->graph.node_count; n++)
        if (job->graph.nodes[n].kind == GRAPH_SINK)
            lines = job->graph.nodes[n].sink.show_count;
    if (options_is_set(rt->options, "top"))
        lines = (unsigned)options_number(rt->options, "top");
    return options_flag(rt->options, "quiet") ? 0 : lines;
}

void job_screen_result(struct job_screen *screen, struct aimss_runtime *rt,
                       const struct aimss_job *job)
{
    struct coordinator_report report;
    double seconds = (double)(env_now_ns(rt->env) - screen->started_ns) / 1e9;
    char path[WIRE_TEXT_BYTES], bytes[32];

    coordinator_report(rt->coordinator, &report);
    if (options_flag(rt->options, "quiet"))
        return;
    if (report.sink_file != NULL && rt->dir != NULL) {
        snprintf(path, sizeof path, "%s/%s", jobdir_out(rt->dir), report.sink_file);
        print_table(path, table_lines(rt, job));
        printf("%s: %llu lines\n", path, (unsigned long long)report.sink_lines);
    }
    printf("%s: %sB in %.2f s, %.3f GB/s, %u broker%s, %u compute rank%s\n", job->name,
           human((double)report.bytes_total, bytes), seconds,
           (double)report.bytes_total / seconds / 1e9, rt->net->broker_count,
           rt->net->broker_count == 1 ? "" : "s", rt->net->compute_count,
           rt->net->compute_count == 1 ? "" : "s");
    fflush(stdout);
}
