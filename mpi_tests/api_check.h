/* api_check.h: what the api_* programs share. They are programs of a user: of
 * AIMSS they see aimss.h only.
 *
 * Each runs its cases in several layouts one after the other, so that the same
 * promises hold with shared memory, between nodes, and with more brokers.
 */
#ifndef AIMSS_MPI_TESTS_API_CHECK_H
#define AIMSS_MPI_TESTS_API_CHECK_H

#include <aimss_mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { API_COMPLAINTS_MAX = 20 };

static int api_errors;
static const char *api_layout = "";

#define EXPECT(condition)                                                             \
    do {                                                                              \
        if (!(condition) && api_errors++ < API_COMPLAINTS_MAX)                        \
            fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__,          \
                    api_layout, #condition);                                          \
    } while (0)

#define EXPECT_STATUS(call, expected) api_status(call, expected, #call, __FILE__, __LINE__)
#define EXPECT_OK(call) EXPECT_STATUS(call, AIMSS_OK)

/* An error must also say something, a success need not. */
static inline int api_status(aimss_status_t found, aimss_status_t expected, const char *call,
                             const char *file, int line)
{
    int good = found == expected && (found >= 0 || aimss_error_text()[0] != '\0');

    if (!good && api_errors++ < API_COMPLAINTS_MAX)
        fprintf(stderr, "%s:%d: %s: %s\n    found %d (%s), expected %d; error text: %s\n", file,
                line, api_layout, call, (int)found, aimss_status_string(found), (int)expected,
                aimss_error_text());
    return good;
}

/* The last error's text has these words. */
#define EXPECT_SAYS(words)                                                            \
    do {                                                                              \
        if (strstr(aimss_error_text(), words) == NULL && api_errors++ < API_COMPLAINTS_MAX) \
            fprintf(stderr, "%s:%d: %s: \"%s\" is not in: %s\n", __FILE__, __LINE__,  \
                    api_layout, words, aimss_error_text());                           \
    } while (0)

static inline struct aimss_bytes api_bytes(const void *data, size_t len_bytes)
{
    return (struct aimss_bytes){ data, len_bytes };
}

/* A barrier of the compute ranks that lets streams move meanwhile. */
static inline void api_meet(struct aimss_runtime *rt)
{
    MPI_Request request;
    MPI_Comm comm = MPI_COMM_NULL;
    int done = 0;

    EXPECT_OK(aimss_runtime_comm(rt, &comm));
    MPI_Ibarrier(comm, &request);
    while (!done) {
        EXPECT(aimss_runtime_progress(rt, 100000) >= 0);
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    }
}

static inline uint64_t api_sum(struct aimss_runtime *rt, uint64_t value)
{
    MPI_Comm comm = MPI_COMM_NULL;

    api_meet(rt);
    EXPECT_OK(aimss_runtime_comm(rt, &comm));
    MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_UINT64_T, MPI_SUM, comm);
    return value;
}

struct api_layout {
    const char *name;
    struct aimss_runtime_options options;
};

static const struct api_layout api_layouts[] = {
    { "one node", { .arena_bytes = 64 << 20 } },
    { "two nodes", { .arena_bytes = 64 << 20, .nodes_as = 2 } },
    { "each rank its node", { .arena_bytes = 64 << 20, .nodes_as = 64, .broker_count = 2 } },
};

typedef void api_role_fn(struct aimss_runtime *rt);

/* Runs compute() on compute ranks in each layout, other() on the others; all
 * errors count, and the runtime must end well. Returns the exit code. */
static inline int api_main(int argc, char **argv, const struct api_layout *layouts, size_t count,
                           api_role_fn *compute, api_role_fn *other)
{
    int provided, ranks, all = 0;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    for (size_t i = 0; i < count; i++) {
        struct aimss_runtime_options options = layouts[i].options;
        struct aimss_runtime *rt = NULL;

        api_layout = layouts[i].name;
        if (options.nodes_as > (unsigned)ranks)
            options.nodes_as = (unsigned)ranks;
        if (ranks < 4)
            options.broker_count = 1;
        if (!EXPECT_OK(aimss_runtime_attach(MPI_COMM_WORLD, &options, &rt)))
            break; /* the same on all ranks */
        if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE)
            compute(rt);
        else if (other != NULL)
            other(rt);
        EXPECT_OK(aimss_runtime_destroy(rt));
    }
    MPI_Allreduce(&api_errors, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Finalize();
    return all != 0;
}

#define API_LAYOUT_COUNT (sizeof api_layouts / sizeof api_layouts[0])

#endif
