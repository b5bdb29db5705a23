/* task.c: see task.h. An error is kept in the task, so that it also counts when
 * a callback swallows it.
 */
#include "flow/task.h"

#include "base/error.h"
#include <string.h>

static aimss_status_t call_function(struct aimss_task *task, const struct aimss_record *record);

/* The emit of all functions but the last: calls the next one. */
static aimss_status_t emit_onward(struct aimss_task *task, struct aimss_bytes key,
                                  struct aimss_bytes value)
{
    struct aimss_record record = { key, value, task->event_time_ns, task->ordinal };
    task->depth++;
    aimss_status_t status = call_function(task, &record);
    task->depth--;
    task->emit = emit_onward;
    return status;
}

static aimss_status_t call_function(struct aimss_task *task, const struct aimss_record *record)
{
    task->emit = task->depth + 1 == task->chain->count ? task->last : emit_onward;
    aimss_status_t status = task->chain->fns[task->depth](task, record);
    if (status != AIMSS_OK && task->status == AIMSS_OK)
        task->status = error_set(AIMSS_E_CALLBACK, "function %u of %u in the chain returned %d "
                                 "(%s)", task->depth + 1, task->chain->count, (int)status,
                                 error_status_string(status));
    return task->status;
}

aimss_status_t task_run(struct aimss_task *task, const struct aimss_record *record)
{
    task->depth = 0;
    task->status = AIMSS_OK;
    task->event_time_ns = record->event_time_ns;
    task->ordinal = record->ordinal;
    if (task->chain->count == 0)
        return task->last(task, record->key, record->value);
    return call_function(task, record);
}

aimss_status_t task_emit_nowhere(struct aimss_task *task, struct aimss_bytes key,
                                 struct aimss_bytes value)
{
    (void)key;
    (void)value;
    return task->status = error_set(AIMSS_E_STATE, "aimss_task_emit: nothing follows this "
                                    "function in the graph; add a shuffle, or do not emit");
}

aimss_status_t task_emit_counted(struct aimss_task *task, struct aimss_bytes key,
                                 struct aimss_bytes value)
{
    (void)value;
    aimss_status_t status = counts_add(task->counts, key.data, key.len_bytes, 1);
    if (__builtin_expect(status != AIMSS_OK, 0))
        task->status = status;
    return status;
}

aimss_status_t task_emit_owned(struct aimss_task *task, struct aimss_bytes key,
                               struct aimss_bytes value)
{
    (void)value;
    uint64_t hash = key_hash(key.data, key.len_bytes);
    bool is_own = key_part(hash, task->count) == task->index;
    struct counts *counts = is_own ? task->own : task->counts;
    return task->status = counts_add(counts, key.data, key.len_bytes, 1);
}

aimss_status_t task_emit_collected(struct aimss_task *task, struct aimss_bytes key,
                                   struct aimss_bytes value)
{
    if (key.len_bytes > UINT32_MAX || value.len_bytes > UINT32_MAX)
        return task->status = error_set(AIMSS_E_LIMIT, "aimss_task_emit: a key of %zu and a "
                                        "value of %zu bytes; expected at most %u each",
                                        key.len_bytes, value.len_bytes, UINT32_MAX);
    size_t need = sizeof(struct collected) + key.len_bytes + value.len_bytes;
    struct collected *record = blocks_take(task->log, need);
    if (record == NULL)
        return task->status = error_set(AIMSS_E_NO_MEMORY, "no memory for a record of %zu bytes "
                                        "on its way to the shuffle; lower --round", need);
    *record = (struct collected){ key_hash(key.data, key.len_bytes), (uint32_t)key.len_bytes,
                                  (uint32_t)value.len_bytes };
    char *at = (char *)(record + 1);
    if (key.len_bytes != 0)
        memcpy(at, key.data, key.len_bytes);
    if (value.len_bytes != 0)
        memcpy(at + key.len_bytes, value.data, value.len_bytes);
    return AIMSS_OK;
}

aimss_status_t task_state(struct aimss_task *task, struct aimss_bytes key, size_t len_bytes,
                          void **state)
{
    if (task->state == NULL)
        return task->status = error_set(AIMSS_E_STATE, "aimss_task_state: a key has state only "
                                        "in a function after a shuffle");
    aimss_status_t status = table_state(task->state, key, len_bytes, state);
    if (status != AIMSS_OK)
        task->status = status;
    return status;
}
