/* templates.h: the files that `aimss new` writes. */
#ifndef AIMSS_CLI_TEMPLATES_H
#define AIMSS_CLI_TEMPLATES_H

#include <stddef.h>

struct cli_template {
    const char *name;    /* of the file; NULL: the job's */
    const char *suffix;  /* behind the name */
    const char *text;    /* @NAME@ stands for the job's name */
};

extern const struct cli_template cli_templates[];
extern const size_t cli_template_count;

#endif
