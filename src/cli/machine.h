/* machine.h: what this machine allows, as far as jobs depend on it. */
#ifndef AIMSS_CLI_MACHINE_H
#define AIMSS_CLI_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MACHINE_UNLIMITED = 0 }; /* of byte counts that are limits */

/* Whether a process may copy from the memory of another of the same user
 * (process_vm_readv), tried with a child; *error is errno if not. */
bool machine_can_copy_memory(int *error);

/* The least memory limit of the control groups that this process is in. */
uint64_t machine_memory_limit(void);

/* What systemd-logind does with a user's shared memory when the last session
 * ends. */
enum machine_logind { MACHINE_LOGIND_ABSENT, MACHINE_LOGIND_KEEPS, MACHINE_LOGIND_REMOVES };
enum machine_logind machine_logind(void);

/* Names of Open MPI's components of a framework ("osc"), separated by blanks;
 * false if ompi_info is not there or knows none. */
bool machine_mpi_components(const char *framework, char *text, size_t text_bytes);

#endif
