/* run_stages.c: see run_stages.h. */
#include "flow/run_stages.h"

enum { STAGE_ALL_SENT = 1 };

static aimss_status_t stage_start(struct stages *stages, const struct stage *stage)
{
    struct shuffle *shuffle = stages->shuffle;
    if (stage->kind == STAGE_WORK) {
        shuffle_run(shuffle, stage->act, stages->arg);
        return AIMSS_OK;
    }
    aimss_status_t status = stages->started ? AIMSS_OK : stage->act(stages->arg);
    if (status != AIMSS_OK)
        return status;
    if (stage->kind == STAGE_WORDS)
        return shuffle_words(shuffle, stages->words, stage->width);
    stages->client = (struct shuffle_client){ stage->pack, stage->deliver, stages->arg };
    shuffle_begin(shuffle, &stages->client, STAGE_ALL_SENT);
    return AIMSS_OK;
}

static bool stage_over(const struct stages *stages, const struct stage *stage)
{
    return stages->started && (stage->kind != STAGE_ROUNDS ||
                               (shuffle_flags(stages->shuffle) & STAGE_ALL_SENT) != 0);
}

aimss_status_t stages_step(struct stages *stages, bool *busy)
{
    aimss_status_t status = shuffle_step(stages->shuffle, busy);
    if (status != AIMSS_OK || !shuffle_idle(stages->shuffle))
        return status;
    if (stages->at < stages->count && stage_over(stages, &stages->list[stages->at])) {
        stages->at++;
        stages->started = false;
    }
    if (stages->at == stages->count)
        return AIMSS_END;
    *busy = true;
    status = stage_start(stages, &stages->list[stages->at]);
    stages->started = true;
    return status;
}
