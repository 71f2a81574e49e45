/*
 * The lines of loadtest/sse_reader.h: they end with CR LF, LF or CR. Called by events.c with every byte of
 * every event stream.
 */
#include "loadtest/sse_reader.h"

/* With the colon; a line that is the name alone is data, too, if empty. */
static const char NAME[] = {'d', 'a', 't', 'a', ':'};
enum { NAME_LEN = 4 };

static bool end_line(struct sse_reader *reader)
{
    bool is_data = reader->matched > NAME_LEN || (reader->matched == NAME_LEN && !reader->differs);
    bool ends_event = !reader->in_line && reader->has_data;
    reader->has_data = reader->in_line && (reader->has_data || is_data);
    reader->in_line = reader->differs = false;
    reader->matched = 0;
    return ends_event;
}

bool sse_reader_take(struct sse_reader *reader, char c)
{
    bool is_rest_of_end = reader->after_cr && c == '\n';
    reader->after_cr = c == '\r';
    if (is_rest_of_end)
        return false;
    if (c == '\n' || c == '\r')
        return end_line(reader);
    reader->in_line = true;
    if (!reader->differs && reader->matched < sizeof NAME && c == NAME[reader->matched])
        reader->matched++;
    else
        reader->differs = true;
    return false;
}
