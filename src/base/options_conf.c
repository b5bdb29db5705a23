/* options_conf.c: options in job.conf, read with inih and written for it.
 *
 *     # a comment
 *     record-max = 64M
 *     input = a.txt           a list repeats its name, or goes on in
 *             b.txt           indented lines
 *     input = a/very/long/\
 *         path                a line that ends with \ goes on in the next
 *     [job]                   what follows is the job directory's own
 *
 * inih has a limit of its own on lines and drops what looks like a comment, so
 * a value may hold \\ and \xHH; the writer uses both and wraps long values.
 */
#include "base/options_set.h"

#include "base/error.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

/* Below inih's smallest line buffer (200 bytes) whatever the name. */
enum { WRAP_BYTES = 100 };

struct conf {
    struct options *options;
    const char *path;
    FILE *file;
    char *line;              /* getline()'s */
    size_t line_bytes;
    unsigned line_number;
    aimss_status_t status;   /* the first error */
    char name[OPTION_NAME_BYTES];
    char *text;              /* what a wrapped value has so far; NULL: none */
};

/* ---- reading -------------------------------------------------------------- */

static int fail(struct conf *conf, aimss_status_t status)
{
    if (conf->status == AIMSS_OK)
        conf->status = status;
    return 1;
}

/* inih's reader: like fgets(), but a line that does not fit is an error and
 * not two lines. */
static char *read_line(char *line, int size, void *arg)
{
    struct conf *conf = arg;
    ssize_t len = getline(&conf->line, &conf->line_bytes, conf->file);

    if (len < 0)
        return NULL;
    conf->line_number++;
    if (len >= size || memchr(conf->line, '\0', (size_t)len) != NULL) {
        fail(conf, error_set(AIMSS_E_USAGE, "%s:%u: found a line of %zd bytes, expected text of "
                             "at most %d; end it with \\ and go on in an indented line",
                             conf->path, conf->line_number, len, size - 2));
        return NULL;
    }
    memcpy(line, conf->line, (size_t)len + 1);
    return line;
}

static bool is_wrapped(const char *text)
{
    size_t len = strlen(text), slashes = 0;

    while (slashes < len && text[len - 1 - slashes] == '\\')
        slashes++;
    return slashes % 2 == 1;
}

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit == '\0' ? NULL : strchr(digits, digit | 0x20);

    return at == NULL ? -1 : (int)(at - digits);
}

/* Replaces \\ and \xHH in place; false if there is another escape. */
static bool unescape(char *text)
{
    char *to = text;

    for (; *text != '\0'; text++) {
        if (*text != '\\') {
            *to++ = *text;
        } else if (text[1] == '\\') {
            *to++ = *++text;
        } else if (text[1] == 'x' && hex_digit(text[2]) >= 0 && hex_digit(text[3]) >= 0) {
            *to++ = (char)(hex_digit(text[2]) * 16 + hex_digit(text[3]));
            text += 3;
        } else {
            return false;
        }
    }
    *to = '\0';
    return true;
}

static aimss_status_t put(struct conf *conf, char *text)
{
    struct option_value *value = options_find(conf->options, conf->name);
    char where[ERROR_TEXT_BYTES];

    snprintf(where, sizeof where, "%.800s:%u: %s", conf->path, conf->line_number, conf->name);
    if (!unescape(text))
        return error_set(AIMSS_E_USAGE, "%s: found \"%s\", expected \\\\ or \\xHH after each \\; "
                         "write a backslash twice", where, text);
    if (value == NULL || value->spec->command_only) {
        snprintf(where, sizeof where, "%s (%.800s:%u)", conf->name, conf->path,
                 conf->line_number);
        return options_put_unknown(conf->options, &(struct option_deferred){
            .origin = ORIGIN_FILE, .where = where, .name = conf->name, .text = text });
    }
    return options_put(value, ORIGIN_FILE, where, text);
}

/* Joins a piece to what came before and puts the value when it is whole. */
static aimss_status_t take_piece(struct conf *conf, const char *piece)
{
    size_t had = conf->text == NULL ? 0 : strlen(conf->text), len = strlen(piece);
    char *joined = realloc(conf->text, had + len + 1);
    aimss_status_t status;

    if (joined == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory to read %s", conf->path);
    memcpy(joined + had, piece, len + 1);
    conf->text = joined;
    if (is_wrapped(joined)) {
        joined[had + len - 1] = '\0';
        return AIMSS_OK;
    }
    status = put(conf, joined);
    free(conf->text);
    conf->text = NULL;
    return status;
}

/* inih's handler for one line. */
static int take_line(void *arg, const char *section, const char *name, const char *text)
{
    struct conf *conf = arg;

    if (conf->status != AIMSS_OK || strcmp(section, "job") == 0)
        return 1;
    if (*section != '\0')
        return fail(conf, error_set(AIMSS_E_USAGE, "%s:%u: found section [%s], expected options "
                                    "or [job]; remove the section's line", conf->path,
                                    conf->line_number, section));
    if (conf->text != NULL && strcmp(name, conf->name) != 0)
        return fail(conf, error_set(AIMSS_E_USAGE, "%s:%u: the value of %s ends with \\, expected "
                                    "its rest in an indented line", conf->path,
                                    conf->line_number, conf->name));
    snprintf(conf->name, sizeof conf->name, "%s", name);
    return fail(conf, take_piece(conf, text));
}

aimss_status_t options_read_file(struct options *options, const char *path)
{
    struct conf conf = { .options = options, .path = path, .file = fopen(path, "re") };
    int bad_line;

    if (conf.file == NULL)
        return error_set(errno == ENOENT || errno == ENOTDIR ? AIMSS_E_NOT_FOUND : AIMSS_E_IO,
                         "cannot read %s: %s", path, strerror(errno));
    bad_line = ini_parse_stream(read_line, &conf, take_line, &conf);
    if (conf.status == AIMSS_OK && bad_line > 0)
        conf.status = error_set(AIMSS_E_USAGE, "%s:%d: expected `name = value`, an indented "
                                "value, or a comment after #", path, bad_line);
    if (conf.status == AIMSS_OK && (bad_line < 0 || ferror(conf.file)))
        conf.status = error_set(AIMSS_E_IO, "cannot read %s to its end", path);
    if (conf.status == AIMSS_OK && conf.text != NULL)
        conf.status = error_set(AIMSS_E_USAGE, "%s: the value of %s ends with \\ at the end of the "
                                "file, expected its rest in an indented line", path, conf.name);
    free(conf.text);
    free(conf.line);
    fclose(conf.file);
    return conf.status;
}

/* ---- writing -------------------------------------------------------------- */

/* A space within words stays; what inih would strip or take for a comment is
 * escaped, and so is what would look odd on a terminal. */
static bool is_plain(const char *text, size_t at, bool line_start)
{
    unsigned char c = (unsigned char)text[at];

    if (c == ' ')
        return !line_start && at > 0 && text[at - 1] != ' ' && text[at + 1] != '\0';
    return c > ' ' && c != 0x7f && c != '\\' && c != ';' && c != '#';
}

static void write_value(const char *text, FILE *out)
{
    unsigned column = 0;

    for (size_t at = 0; text[at] != '\0'; at++) {
        if (column >= WRAP_BYTES) {
            fputs("\\\n    ", out);
            column = 0;
        }
        if (is_plain(text, at, column == 0))
            column += fputc(text[at], out) != EOF;
        else if (text[at] == '\\')
            column += (unsigned)fprintf(out, "\\\\");
        else
            column += (unsigned)fprintf(out, "\\x%02x", (unsigned char)text[at]);
    }
    fputc('\n', out);
}

static void write_option(const struct option_value *value, FILE *out)
{
    for (size_t i = 0; i < value->list_count; i++) {
        fprintf(out, "%s = ", value->spec->name);
        write_value(value->list[i], out);
    }
    if (value->spec->type != OPTION_LIST && value->text != NULL) {
        fprintf(out, "%s = ", value->spec->name);
        write_value(value->text, out);
    }
}

static bool is_kept(const struct option_value *value)
{
    return value->origin != ORIGIN_DEFAULT && !value->spec->transient &&
           !value->spec->command_only;
}

aimss_status_t options_write_conf(const struct options *options, FILE *out)
{
    for (size_t i = 0; i < options->count; i++)
        if (is_kept(&options->values[i]))
            write_option(&options->values[i], out);
    if (fflush(out) != 0 || ferror(out))
        return error_set(AIMSS_E_IO, "cannot write job.conf: %s", strerror(errno));
    return AIMSS_OK;
}
