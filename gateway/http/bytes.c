/*
 * The class table of http/bytes.h. Used by the parsers of messages, targets apart. Knows bytes, not what they
 * mean.
 */
#include "http/bytes.h"

enum {
    VCHAR = BYTE_TARGET | BYTE_VALUE,
    TCHAR = VCHAR | BYTE_TOKEN,
    ALNUM = TCHAR | BYTE_HOST | BYTE_BASE64
};

const uint8_t byte_classes_of[256] = {
    ['\t'] = BYTE_VALUE,
    [' '] = BYTE_VALUE,
    ['!'] = TCHAR,
    ['"'] = VCHAR,
    ['#' ... '\''] = TCHAR,
    ['(' ... ')'] = VCHAR,
    ['*'] = TCHAR,
    ['+'] = TCHAR | BYTE_BASE64,
    [','] = VCHAR,
    ['-'] = TCHAR | BYTE_HOST,
    ['.'] = TCHAR | BYTE_HOST | BYTE_DOT,
    ['/'] = VCHAR | BYTE_BASE64,
    ['0' ... '9'] = ALNUM,
    [':' ... '@'] = VCHAR,
    ['A' ... 'Z'] = ALNUM | BYTE_UPPER,
    ['[' ... ']'] = VCHAR,
    ['^'] = TCHAR,
    ['_'] = TCHAR | BYTE_HOST,
    ['`'] = TCHAR,
    ['a' ... 'z'] = ALNUM,
    ['{'] = VCHAR,
    ['|'] = TCHAR,
    ['}'] = VCHAR,
    ['~'] = TCHAR,
    [0x80 ... 0xff] = BYTE_VALUE,
};
