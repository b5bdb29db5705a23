/* partition.c: cuts the inputs into byte ranges, by guided self-scheduling
 * (Polychronopoulos and Kuck 1987).
 *
 * Brokers ask for the next range when they have room, so a fast one takes more.
 * Each range is a fixed share of all that is left: large while much is left,
 * small towards the end, so that brokers finish together whatever their speed.
 * The plan depends on nothing but the list and the number of brokers.
 */
#include "connect/source.h"

enum {
    PARTITION_MIN_BYTES = 256 * 1024,
    PARTITION_MAX_BYTES = 64 * 1024 * 1024,
    PARTITION_SHARES = 2 /* what is left holds so many partitions for each broker */
};

void partition_plan_start(struct partition_plan *plan, const struct input_list *list,
                          unsigned broker_count)
{
    *plan = (struct partition_plan){
        .list = list,
        .broker_count = broker_count ? broker_count : 1,
        .left_bytes = list->total_bytes,
    };
}

static uint64_t share(const struct partition_plan *plan)
{
    uint64_t bytes = plan->left_bytes / ((uint64_t)plan->broker_count * PARTITION_SHARES);
    return bytes < PARTITION_MIN_BYTES   ? PARTITION_MIN_BYTES
           : bytes > PARTITION_MAX_BYTES ? PARTITION_MAX_BYTES
                                         : bytes;
}

/* A rest that would be too small is not left behind. */
static uint64_t take(const struct partition_plan *plan, uint64_t rest_bytes)
{
    uint64_t bytes = share(plan);
    if (rest_bytes <= bytes)
        return rest_bytes;
    if (rest_bytes - bytes >= PARTITION_MIN_BYTES)
        return bytes;
    return rest_bytes <= PARTITION_MAX_BYTES ? rest_bytes : rest_bytes - PARTITION_MIN_BYTES;
}

aimss_status_t partition_plan_next(struct partition_plan *plan, struct partition *partition)
{
    const struct input_list *list = plan->list;
    while (plan->file < list->count && plan->offset == list->files[plan->file].len_bytes) {
        plan->file++;
        plan->offset = 0;
    }
    if (plan->file == list->count)
        return AIMSS_END;
    uint64_t bytes = take(plan, list->files[plan->file].len_bytes - plan->offset);
    *partition = (struct partition){
        .number = plan->number++,
        .file = (uint32_t)plan->file,
        .begin = plan->offset,
        .end = plan->offset + bytes,
    };
    plan->offset += bytes;
    plan->left_bytes -= bytes;
    return AIMSS_OK;
}
