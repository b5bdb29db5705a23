/* source_text.h: text files, whole lines in each record.
 *
 * A line ends with \n or with its file and belongs to the partition in which
 * its first byte lies; every other byte is data. A record is as many whole
 * lines as fit, in one chunk. A line that does not fit is a record of its own,
 * cut into fragments FIRST, MIDDLE..., LAST; FIRST counts as one record, the
 * others as none.
 */
#ifndef AIMSS_CONNECT_SOURCE_TEXT_H
#define AIMSS_CONNECT_SOURCE_TEXT_H

#include "connect/source.h"

extern const struct source_ops source_text;

#endif
