/* launch_command.c: the command that starts the ranks on this machine.
 *
 * In a Slurm allocation srun, otherwise mpirun (or mpiexec) of whichever MPI it
 * turns out to be. What they need beyond that is put into the environment where
 * possible, never over what the user has set there:
 *
 *   - Open MPI refuses root and more ranks than cores unless told otherwise;
 *   - ranks that share a core must yield (srun does not tell them so);
 *   - without an InfiniBand-like fabric, osc/ucx is chosen and then fails;
 *   - binding is the library's own business: it knows brokers from the rest.
 *
 * AIMSS_LAUNCH_MPIRUN names another mpirun.
 */
#include "cli/launch.h"

#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* ---- finding programs ------------------------------------------------------- */

static bool is_program(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && S_ISREG(about.st_mode) && access(path, X_OK) == 0;
}

static char *in_directory(const char *directory, size_t directory_len, const char *name)
{
    char *path;

    if (directory_len == 0) /* an empty entry of PATH is the current folder */
        return asprintf(&path, "./%s", name) < 0 ? NULL : path;
    return asprintf(&path, "%.*s/%s", (int)directory_len, directory, name) < 0 ? NULL : path;
}

static char *in_path(const char *name)
{
    const char *at = getenv("PATH");

    while (at != NULL) {
        size_t len = strcspn(at, ":");
        char *path = in_directory(at, len, name);
        if (path != NULL && is_program(path))
            return path;
        free(path);
        at = at[len] == ':' ? at + len + 1 : NULL;
    }
    return NULL;
}

static char *beside_this_command(const char *name)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self);
    char *path = NULL;

    while (len > 0 && self[len - 1] != '/')
        len--;
    if (len > 0)
        path = in_directory(self, (size_t)len - 1, name);
    if (path != NULL && is_program(path))
        return path;
    free(path);
    return NULL;
}

aimss_status_t launch_find_program(const char *name, char **program)
{
    char *found = NULL;

    if (strchr(name, '/') == NULL) {
        found = in_path(name);
        if (found == NULL)
            found = beside_this_command(name);
        if (found == NULL)
            return error_set(AIMSS_E_NOT_FOUND, "program %s: not found in PATH nor beside aimss, "
                             "expected an executable; give its path, for example ./%s", name, name);
    } else if (is_program(name)) {
        found = strdup(name);
    } else if (access(name, F_OK) == 0) {
        return error_set(AIMSS_E_NOT_FOUND, "program %s: found something else than an executable "
                         "file; check the path, or chmod +x %s", name, name);
    } else {
        return error_set(AIMSS_E_NOT_FOUND, "program %s: %s, expected an executable; check the "
                         "path", name, strerror(errno));
    }
    if (found == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a path");
    *program = found;
    return AIMSS_OK;
}

/* ---- a vector of words ------------------------------------------------------- */

struct words {
    char **all;     /* count words and a NULL */
    size_t count;
    bool failed;    /* memory was out */
};

static void add(struct words *words, const char *word)
{
    char **all = realloc(words->all, (words->count + 2) * sizeof *all);

    if (all == NULL) {
        words->failed = true;
        return;
    }
    words->all = all;
    all[words->count] = strdup(word);
    all[words->count + 1] = NULL;
    if (all[words->count] == NULL)
        words->failed = true;
    else
        words->count++;
}

static void add_count(struct words *words, const char *option, unsigned count)
{
    char text[16];

    snprintf(text, sizeof text, "%u", count);
    add(words, option);
    add(words, text);
}

void launch_command_destroy(char **words)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        free(words[i]);
    free(words);
}

/* ---- the machine -------------------------------------------------------------- */

static bool has_entries(const char *path)
{
    DIR *list = opendir(path);
    const struct dirent *entry = NULL;

    if (list == NULL)
        return false;
    do
        entry = readdir(list);
    while (entry != NULL && entry->d_name[0] == '.');
    closedir(list);
    return entry != NULL;
}

static bool in_allocation(void)
{
    return getenv("SLURM_JOB_ID") != NULL || getenv("PBS_NODEFILE") != NULL ||
           getenv("LSB_HOSTS") != NULL || getenv("PE_HOSTFILE") != NULL;
}

static void set_default(const char *name, const char *value)
{
    setenv(name, value, 0);
}

static void prepare_environment(const struct launch *launch)
{
    if (launch->brokers != NULL)
        setenv("AIMSS_BROKERS", launch->brokers, 1);
    if (launch->nodes_as != NULL)
        setenv("AIMSS_NODES_AS", launch->nodes_as, 1);
    /* A rank's standard output is a terminal of mpirun's making, whatever ours is. */
    setenv("AIMSS_LAUNCH_TERMINAL", isatty(STDERR_FILENO) ? "1" : "0", 1);
    if (geteuid() == 0) {
        set_default("OMPI_ALLOW_RUN_AS_ROOT", "1");
        set_default("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }
    if (!has_entries("/sys/class/infiniband"))
        set_default("OMPI_MCA_osc", "^ucx");
    set_default("OMPI_MCA_mpi_yield_when_idle", "1");
    set_default("OMPI_MCA_btl_base_warn_component_unused", "0");
}

/* ---- srun ---------------------------------------------------------------------- */

/* What a command prints, at most so many bytes; "" if it cannot be run. */
static void output_of(const char *command, char *text, size_t text_bytes)
{
    FILE *pipe = popen(command, "re");
    size_t len = pipe == NULL ? 0 : fread(text, 1, text_bytes - 1, pipe);

    text[len] = '\0';
    if (pipe != NULL)
        pclose(pipe);
}

static unsigned cpus_in_allocation(void)
{
    const char *cpus = getenv("SLURM_CPUS_ON_NODE"), *nodes = getenv("SLURM_JOB_NUM_NODES");

    return (unsigned)((cpus == NULL ? 0 : atoi(cpus)) * (nodes == NULL ? 1 : atoi(nodes)));
}

static void add_srun(const struct launch *launch, const char *srun, struct words *words)
{
    char types[1024];

    unsetenv("AIMSS_LAUNCH_BY"); /* by srun: a SIGTERM is Slurm's request to stop */
    add(words, srun);
    add_count(words, "-n", launch->ranks);
    output_of("srun --mpi=list 2>&1", types, sizeof types);
    if (strstr(types, "pmix") != NULL && getenv("SLURM_MPI_TYPE") == NULL)
        add(words, "--mpi=pmix");
    add(words, "--kill-on-bad-exit=1");
    add(words, "--cpu-bind=none");
    if (launch->ranks > cpus_in_allocation())
        add(words, "--overcommit");
    if (getenv("SLURM_STEP_ID") != NULL)
        add(words, "--overlap");
    if (!launch->verbose)
        add(words, "--quiet");
}

/* ---- mpirun --------------------------------------------------------------------- */

/* Open MPI passes only what it is told to another node. */
static void add_exports(struct words *words)
{
    for (char **entry = environ; *entry != NULL; entry++) {
        char name[128];
        size_t len = strcspn(*entry, "=");
        if (strncmp(*entry, "AIMSS_", 6) != 0 || len >= sizeof name)
            continue;
        memcpy(name, *entry, len);
        name[len] = '\0';
        add(words, "-x");
        add(words, name);
    }
}

static void add_open_mpi(const struct launch *launch, struct words *words)
{
    add_count(words, "-n", launch->ranks);
    add(words, "--bind-to");
    add(words, "none");
    if (!in_allocation())
        add(words, "--oversubscribe");
    if (!launch->verbose)
        add(words, "--quiet");
    add_exports(words);
}

static char *find_mpirun(void)
{
    const char *named = getenv("AIMSS_LAUNCH_MPIRUN");
    char *mpirun;

    if (named != NULL)
        return strdup(named);
    mpirun = in_path("mpirun");
    return mpirun != NULL ? mpirun : in_path("mpiexec");
}

static aimss_status_t add_mpirun(const struct launch *launch, struct words *words)
{
    char *mpirun = find_mpirun(), *ask = NULL, version[4096];

    if (mpirun == NULL)
        return error_set(AIMSS_E_NOT_FOUND, "mpirun: not found in PATH, expected Open MPI's or "
                         "MPICH's; install openmpi-bin, load a module, or set "
                         "AIMSS_LAUNCH_MPIRUN");
    setenv("AIMSS_LAUNCH_BY", "mpirun", 1); /* ranks take its SIGTERM for what it is */
    add(words, mpirun);
    if (asprintf(&ask, "'%s' --version 2>&1", mpirun) < 0)
        ask = NULL;
    free(mpirun);
    if (ask == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a command");
    output_of(ask, version, sizeof version);
    free(ask);
    if (strstr(version, "Open MPI") != NULL || strstr(version, "OpenRTE") != NULL)
        add_open_mpi(launch, words);
    else /* MPICH and its kin pass the environment on and bind nothing by themselves */
        add_count(words, "-n", launch->ranks);
    return AIMSS_OK;
}

static void show(const struct words *words)
{
    fputs("aimss: ", stderr);
    for (size_t i = 0; i < words->count; i++)
        fprintf(stderr, "%s%s", i > 0 ? " " : "", words->all[i]);
    fputc('\n', stderr);
}

aimss_status_t launch_command(const struct launch *launch, char ***words)
{
    struct words made = { 0 };
    char *srun = getenv("SLURM_JOB_ID") != NULL ? in_path("srun") : NULL;
    aimss_status_t status = AIMSS_OK;

    prepare_environment(launch);
    if (srun != NULL)
        add_srun(launch, srun, &made);
    else
        status = add_mpirun(launch, &made);
    free(srun);
    add(&made, launch->program);
    for (char **word = launch->arguments; *word != NULL; word++)
        add(&made, *word);
    if (status == AIMSS_OK && made.failed)
        status = error_set(AIMSS_E_NO_MEMORY, "no memory for a command line");
    if (status != AIMSS_OK) {
        launch_command_destroy(made.all);
        return status;
    }
    if (launch->verbose)
        show(&made);
    *words = made.all;
    return AIMSS_OK;
}
