/* sim_internal.h: what the simulator's own files share.
 *
 *   job.c       ranks and roles of one schedule, from creation to end
 *   schedule.c  virtual clock, trouble, who is next
 *   coroutine.c stacks of their own
 *   net.c       the table of net: memory, Puts, messages, bells
 *   env.c       the table of env: clock, files, tasks
 *   memory.c    what is mapped once and used by all schedules
 *   faults.c    wrappers around the tables that break a promise on purpose
 */
#ifndef AIMSS_SIM_SIM_INTERNAL_H
#define AIMSS_SIM_SIM_INTERNAL_H

#include "base/error.h"
#include "net/lane.h"
#include "net/roles.h"
#include "sim/coroutine.h"
#include "sim/sim.h"

enum {
    SIM_STACK_BYTES = 256 * 1024,
    SIM_SLOTS_MAX_BYTES = 2 * 1024 * 1024,
    SIM_ARENA_BYTES = ARENA_MIN_BYTES,
    SIM_PUTS_MAX = 8192,
    SIM_TASKS_MAX = 64,
    SIM_GROUPS_MAX = 256 /* of a broker, as an arena of the least size has them */
};

struct sim_memory {
    char *near[SIM_RANKS_MAX], *far[SIM_RANKS_MAX], *arena[SIM_RANKS_MAX], *stack[SIM_RANKS_MAX];
    struct arena_header header; /* as arena_create() writes it */
};
void sim_memory_reset(struct sim_memory *memory, unsigned rank_count);

enum sim_state {
    SIM_READY,
    SIM_ASLEEP,   /* in net's wait */
    SIM_DONE,
    SIM_DEAD      /* crashed */
};

struct sim_message {
    struct sim_message *next;
    uint64_t due_ns;
    struct wire_message message; /* only the part that was sent is there */
};

/* Messages between two ranks keep their order. */
struct sim_channel {
    struct sim_message *first, *last;
};

/* A piece of a Put that has not landed. The source is read when it lands. */
struct sim_put {
    uint8_t from, to, region; /* region: the window's, FAR or ARENA */
    uint64_t offset, len_bytes;
    const char *src;
};

struct env_pool {
    struct sim_rank *rank;
};

struct sim_task {
    struct env_pool *pool;
    struct env_task *task;
    uint64_t due_ns;
    bool ran;
};

struct sim_rank {
    struct net net;             /* the first member: ops get its address */
    struct env env;
    struct sim *sim;
    struct aimss_runtime rt;
    enum sim_state state;
    uint64_t wake_ns, stopped_until_ns;
    uint64_t idle_wait_ns;      /* far peers: as in the real wait */
    bool rung;                  /* why the wait ended */
    unsigned ringing;           /* wakers that have published and not yet rung */
    uint64_t words_seen;        /* sum of the near words when it fell asleep */
    unsigned inbound, outbound; /* lane and credit numbers in use */
    unsigned burst;             /* yields left before it hands over */
    struct sim_channel channels[SIM_RANKS_MAX]; /* by sender */
    unsigned messages;
    struct coroutine coroutine;
    aimss_status_t status;
    unsigned revoke_rank;       /* a broker: revokes that rank's leases at its next look */
    bool revoked;
    uint64_t sealed[SIM_GROUPS_MAX]; /* a broker: where revoked groups ended, plus one */
    char error[ERROR_TEXT_BYTES]; /* the rank's part of the thread's last error */
};

/* How this schedule behaves, drawn from the seed. */
struct sim_manner {
    unsigned burst_max;
    uint64_t message_delay_ns, task_delay_ns;
    unsigned put_lands_in;      /* one in so many scheduling steps */
    unsigned slow_rank;         /* SIM_RANKS_MAX: none */
};

struct sim {
    struct sim_config config;
    struct sim_manner manner;
    struct sim_memory *memory;
    struct net_ops net_ops;     /* with the planted fault's wrapper in place */
    struct env_ops env_ops;
    struct roles roles;
    uint64_t random, now_ns, steps, hash;
    uint64_t ends_at_ns;        /* after a crash: the launcher ends the job */
    uint64_t revokes_at_ns;     /* while a writer stands still */
    unsigned rank_count;
    struct sim_rank ranks[SIM_RANKS_MAX];
    struct sim_rank *running;   /* NULL: the scheduler itself */
    unsigned put_count, task_count;
    struct sim_put puts[SIM_PUTS_MAX];
    struct sim_task tasks[SIM_TASKS_MAX];
    uint64_t reads;
    bool read_failed;
    uint64_t fault_words[64];   /* sources of Puts that a fault makes up */
    unsigned fault_count;
};

/* schedule.c: a point at which another rank may go on. */
void sim_yield(struct sim_rank *rank);
/* Hands over; the rank goes on when its state is READY again. */
void sim_sleep(struct sim_rank *rank);
void sim_note(struct sim *sim, const char *what, uint64_t a, uint64_t b);

/* net.c */
extern const struct net_ops sim_net_ops;
void sim_net_open(struct sim_rank *rank);
void sim_net_close(struct sim_rank *rank);
void sim_put_land(struct sim *sim, unsigned at);
void sim_bell_ring(struct sim *sim, unsigned rank);
void sim_check_bell(struct sim_rank *rank);

/* env.c */
extern const struct env_ops sim_env_ops;
void sim_task_advance(struct sim *sim, unsigned at);

/* job.c: what the arena says of a group; and that revoked ones have not grown. */
const struct arena_group *sim_group_entry(const struct sim_rank *broker, uint32_t slot);
void sim_check_sealed(struct sim_rank *broker);

/* faults.c */
void sim_fault_plant(struct sim *sim);

static inline struct sim_rank *sim_rank_of(struct net *net)
{
    return (struct sim_rank *)net;
}

#endif
