/* options_table.c: every option of the library and its job programs.
 *
 * One row gives the command line, job.conf, the environment, --help and the
 * man page. The order is the order of --help.
 */
#include "base/options.h"

#include <assert.h>
#include <string.h>

#define K UINT64_C(1024)
#define M (K * K)
#define G (K * M)
#define MS UINT64_C(1000000)
#define S (1000 * MS)

const struct option_spec options_table[] = {
    { .name = "input", .type = OPTION_LIST, .value_name = "PATH...",
      .help = "files, directories or glob patterns to read; may be repeated" },
    { .name = "job", .type = OPTION_TEXT, .value_name = "DIR", .transient = true,
      .help = "job directory; its out/ gets the results" },
    { .name = "brokers", .type = OPTION_COUNT, .min = 1, .max = 65535, .value_name = "COUNT",
      .help = "ranks that store; unset: one for every three that compute" },
    { .name = "brokers-per-node", .type = OPTION_COUNT, .min = 1, .max = 1024,
      .value_name = "COUNT", .help = "ranks that store on each node, instead of --brokers" },
    { .name = "nodes-as", .type = OPTION_COUNT, .min = 1, .max = 1024, .value_name = "COUNT",
      .help = "count the ranks of one machine as so many nodes" },
    { .name = "arena", .type = OPTION_BYTES, .min = 8 * M, .value_name = "BYTES",
      .help = "memory of one broker's arena; unset: a share of what is free" },
    { .name = "record-max", .type = OPTION_BYTES, .value_default = "64M", .min = 4 * K,
      .max = 64 * M, .value_name = "BYTES", .help = "largest record or line" },
    { .name = "chunk", .type = OPTION_BYTES, .value_default = "16K", .min = 4 * K,
      .max = 256 * K, .value_name = "BYTES", .help = "what a writer publishes at once" },
    { .name = "segment", .type = OPTION_BYTES, .value_default = "8M", .min = 4 * K,
      .max = 64 * M, .value_name = "BYTES", .help = "full size of a segment",
      .power_of_two = true },
    { .name = "workers", .type = OPTION_COUNT, .value_default = "0", .max = 1024,
      .value_name = "COUNT",
      .help = "kernel threads of a compute rank; 0: the node's cores shared among its ranks" },
    { .name = "io-threads", .type = OPTION_COUNT, .value_default = "2", .min = 1, .max = 64,
      .value_name = "COUNT", .help = "threads of a broker that read and write files" },
    { .name = "state-memory", .type = OPTION_BYTES, .value_default = "1G", .min = M,
      .value_name = "BYTES", .help = "memory for counts and state of one compute rank" },
    { .name = "round", .type = OPTION_BYTES, .value_default = "1M", .min = 4 * K,
      .max = 256 * M, .value_name = "BYTES",
      .help = "what two compute ranks exchange in one round of a shuffle" },
    { .name = "slots", .type = OPTION_BYTES, .value_default = "16M", .min = 64 * K, .max = 64 * G,
      .value_name = "BYTES", .help = "memory of a compute rank for what other nodes push" },
    { .name = "deadline", .type = OPTION_TIME, .value_default = "60s", .min = 10 * MS,
      .max = 3600 * S, .value_name = "TIME",
      .help = "a blocked MPI call ends the process after so long" },
    { .name = "progress", .type = OPTION_TEXT, .value_default = "auto", .value_name = "WHEN",
      .help = "show progress: auto (on a terminal), always, never",
      .choices = "auto|always|never", .transient = true },
    { .name = "top", .type = OPTION_COUNT, .max = 1000000, .value_name = "COUNT",
      .help = "lines of the table printed at the end; unset: what the program says",
      .transient = true },
    { .name = "quiet", .type = OPTION_FLAG, .help = "print errors only", .transient = true },
    { .name = "verbose", .type = OPTION_FLAG, .help = "print what the runtime decides",
      .transient = true },
    { .name = "help", .type = OPTION_FLAG, .help = "print this help and end",
      .command_only = true },
    { .name = "version", .type = OPTION_FLAG, .help = "print the version and end",
      .command_only = true },
};

const size_t options_table_count = sizeof options_table / sizeof options_table[0];

const struct option_spec *options_spec(const char *name)
{
    for (size_t i = 0; i < options_table_count; i++)
        if (strcmp(options_table[i].name, name) == 0)
            return &options_table[i];
    assert(!"an option of the table");
    return NULL;
}
