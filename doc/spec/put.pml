/*
 * put.pml: words that another process stores or Puts. Included by the models; checked through
 * them.
 *
 * A Put is on its way (`fly`) until the nic lets it land in the receiver's memory (`mem`). Puts
 * land in any order: only a flush, which waits until they have landed, orders them. A plain store
 * on the node is the same with a release fence for the flush, so one model covers both kinds of
 * lane. A Put may land after its process has died. Values are never 0: 0 in `fly` means no Put.
 *
 * promise: two Puts to one word are never on their way together; which one would stay is not
 * defined.
 * A model whose planted fault breaks that defines TWO_IN_FLIGHT to show what comes of it.
 */
byte mem[WORDS];
byte fly[WORDS];

#ifdef TWO_IN_FLIGHT
byte later[WORDS];

#define landed(w) (fly[w] == 0 && later[w] == 0)
#define LAND(w) \
    :: d_step { fly[w] != 0 -> mem[w] = fly[w]; fly[w] = 0 } \
    :: d_step { later[w] != 0 -> mem[w] = later[w]; later[w] = 0 }

inline put(w, value)
{
    d_step {
        if
        :: fly[w] == 0 -> fly[w] = value
        :: else -> later[w] = value
        fi
    }
}
#else
#define landed(w) (fly[w] == 0)
#define LAND(w) :: d_step { fly[w] != 0 -> mem[w] = fly[w]; fly[w] = 0 }

inline put(w, value)
{
    d_step { assert(fly[w] == 0); fly[w] = value }
}
#endif
