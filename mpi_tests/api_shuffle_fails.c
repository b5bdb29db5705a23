/* api_shuffle_fails: a shuffle's callback that fails on one rank ends the run on
 * all of them, with its error: no rank waits in a round for one that is gone.
 *
 * More than one round (AIMSS_ROUND is small), so that the others are within the
 * exchange when it happens. Four ranks, of which two compute.
 */
#include "api_check.h"

enum { RECORDS = 20000, FAILS_AT = 10, RESULT = 7 };

static unsigned delivered;

static int deliver(void *fails, const struct aimss_record *record)
{
    (void)record;
    return ++delivered == FAILS_AT && fails != NULL ? RESULT : 0;
}

static void compute(struct aimss_runtime *rt)
{
    struct aimss_stream *parent, *child;
    struct aimss_writer *writer;
    unsigned index;

    aimss_runtime_compute_rank(rt, &index, NULL);
    EXPECT_OK(aimss_stream_create(rt, "parent", NULL, &parent));
    EXPECT_OK(aimss_stream_create(rt, "child",
                                  &(struct aimss_stream_options){ .parent = "parent" }, &child));
    EXPECT_OK(aimss_writer_open(child, NULL, &writer));
    for (uint32_t i = 0; i < RECORDS; i++)
        EXPECT_OK(aimss_writer_put(writer, (struct aimss_bytes){ &i, sizeof i }, AIMSS_NO_BYTES));
    EXPECT_OK(aimss_writer_close(writer));
    EXPECT_OK(aimss_shuffle_stream(child));
    EXPECT_STATUS(aimss_shuffle_streams(parent, &(struct aimss_shuffle_options){
                      .deliver = deliver, .arg = index == 0 ? &delivered : NULL }),
                  AIMSS_E_CALLBACK);
    EXPECT_OK(aimss_stream_destroy(child));
    EXPECT_OK(aimss_stream_destroy(parent));
}

int main(int argc, char **argv)
{
    struct aimss_runtime *rt;

    setenv("AIMSS_ROUND", "4K", 1);
    if (aimss_runtime_create(&argc, &argv, NULL, &rt) != AIMSS_OK) {
        fprintf(stderr, "%s\n", aimss_error_text());
        return 1;
    }
    if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE)
        compute(rt);
    EXPECT_STATUS(aimss_runtime_destroy(rt), AIMSS_E_CALLBACK);
    return api_errors != 0;
}
