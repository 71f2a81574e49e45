/*
 * config/yaml_tree.h: places of nodes, what YAML allows and a configuration must not hold, and the bounds
 * that keep a hostile file cheap. Each refusal has a case with its line and column.
 */
#include "said.h"

#include "config/yaml_tree.h"

struct dump {
    char text[4096];
    size_t used;
};

static void put(struct dump *dump, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    dump->used +=
        (size_t)vsnprintf(dump->text + dump->used, sizeof dump->text - dump->used, format, arguments);
    va_end(arguments);
}

static void dump_node(struct dump *dump, const struct yaml_node *node)
{
    if (node->key)
        put(dump, "%.*s@%u:%u=", SLICE_ARGS(node->key->text), node->key->origin.line,
            node->key->origin.column);
    if (node->kind == YAML_TEXT) {
        put(dump, "%.*s@%u:%u", SLICE_ARGS(node->text), node->origin.line, node->origin.column);
        return;
    }
    put(dump, node->kind == YAML_MAP ? "{" : "[");
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        dump_node(dump, child);
        put(dump, child->next ? " " : "");
    }
    put(dump, node->kind == YAML_MAP ? "}@%u:%u" : "]@%u:%u", node->origin.line, node->origin.column);
}

static void check_tree(const char *text, size_t length, const char *expected_tree, const char *expected_said)
{
    struct config_findings findings;
    struct arena arena;
    struct dump dump = {.used = 0};
    config_findings_init(&findings);
    arena_init(&arena, NULL, 0);
    struct yaml_node *tree = yaml_tree_parse(&arena, "t.yaml", slice_make(text, length), &findings);
    if (tree)
        dump_node(&dump, tree);
    said_compare(&(struct said_case){text, expected_said}, &findings);
    assert_string_equal(dump.text, expected_tree);
    arena_fini(&arena);
    config_findings_fini(&findings);
}

static void places(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tree;
    } rows[] = {
        {"a: b", "{a@1:1=b@1:4}@1:1"},
        {"# c\n\na:\n  - x\n  - 'y z'\n", "{a@3:1=[x@4:5 y z@5:5]@4:3}@3:1"},
        {"- {k: v, l: [1, 2]}\n", "[{k@1:4=v@1:7 l@1:10=[1@1:14 2@1:17]@1:13}@1:3]@1:1"},
        {"\xc3\xa4: \xc3\xb6 # \xc3\xbc\nb: 1", "{\xc3\xa4@1:1=\xc3\xb6@1:4 b@2:1=1@2:4}@1:1"},
        {"\xef\xbb\xbf"
         "a: b\n",
         "{a@1:2=b@1:5}@1:2"},
        {"a: b\r\nc: d\r\n", "{a@1:1=b@1:4 c@2:1=d@2:4}@1:1"},
        {"---\na: |\n  x\n  y\n...\n", "{a@2:1=x\ny\n@2:4}@2:1"},
        {"a:\nb: \"\"", "{a@1:1=@1:3 b@2:1=@2:4}@1:1"},
        {"plain", "plain@1:1"},
        {"a: &x [1, 2]\nb: *x\n", "{a@1:1=[1@1:8 2@1:11]@1:4 b@2:1=[1@1:8 2@1:11]@1:4}@1:1"},
        {"a: &x v\nb: [*x , *x ]\n", "{a@1:1=v@1:4 b@2:1=[v@1:4 v@1:4]@2:4}@1:1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_tree(rows[i].text, strlen(rows[i].text), rows[i].tree, "");
}

static void refusals(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {"", "1:1: the file is empty\n"},
        {"# only a comment\n", "1:1: the file is empty\n"},
        {"a: 1\nb: 2\n---\nc: 3\n", "3:1: a second document (---) begins here; a file holds one\n"},
        {"a: &x [*x ]\n", "1:8: this alias stands inside of what it names; that would never end\n"},
        {"a: &x { b: { c: *x } }\n",
         "1:17: this alias stands inside of what it names; that would never end\n"},
        {"a: *nobody\n", "1:4: this alias names no anchor above it\n"},
        {"a: &x 1\nb: &x 2\n", "2:4: this anchor's name is already taken\n"},
        {"a: &x { b: 1 }\nc:\n  <<: *x\n",
         "3:3: merge keys (<<) are not supported; put what is shared into defaults or into the site\n"},
        {"[a]: b\n", "1:1: a key must be a word, not a list or a mapping\n"},
        {"? {a: b}\n: c\n", "1:3: a key must be a word, not a list or a mapping\n"},
        {"a: !!str 5\n", "1:4: tags (!name) are not supported; write the value alone\n"},
        {"a: !x [1]\n", "1:4: tags (!name) are not supported; write the value alone\n"},
        {"a: !x {b: c}\n", "1:4: tags (!name) are not supported; write the value alone\n"},
        {"a: \"x\\0y\"\n", "1:4: a NUL character is not allowed\n"},
        {"a:\n\t- b\n", "2:1: a tab begins this; YAML is indented with spaces\n"},
        {"a: [1, 2\n", "2:1: not valid YAML: did not find expected ',' or ']'\n"},
        {"a: b: c\n", "1:5: not valid YAML: mapping values are not allowed in this context\n"},
        {"a: 1\n b: 2\n", "2:3: not valid YAML: mapping values are not allowed in this context\n"},
        {"ok: 1\n\xc3\xa4 \xff: 2\n", "2:3: not valid UTF-8 text: invalid leading UTF-8 octet\n"},
        {"ok: \xed\xa0\x80\n", "1:5: not valid UTF-8 text: invalid Unicode character\n"},
        {"ok: \x01\n", "1:5: not valid UTF-8 text: control characters are not allowed\n"},
        {"ok: \xc3", "1:5: not valid UTF-8 text: incomplete UTF-8 octet sequence\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_tree(rows[i].text, strlen(rows[i].text), "", rows[i].expected);
}

static void utf16_is_refused(void **state)
{
    (void)state;
    static const char text[] = "\xff\xfe"
                               "a\0:\0 \0b\0";
    check_tree(text, sizeof text - 1, "", "1:1: not valid UTF-8 text: invalid leading UTF-8 octet\n");
}

static void duplicates_are_all_reported(void **state)
{
    (void)state;
    check_tree("a: 1\nb: {c: 1, d: 2, c: 3}\na: 2\n\"a\": 3\n", 38,
               "{a@1:1=1@1:4 b@2:1={c@2:5=1@2:8 d@2:11=2@2:14}@2:4}@1:1",
               "2:17: duplicate key \"c\"; it is already written in line 2\n"
               "3:1: duplicate key \"a\"; it is already written in line 1\n"
               "4:1: duplicate key \"a\"; it is already written in line 3\n");
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[512] = "";
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    struct config_findings findings;
    struct arena arena;
    config_findings_init(&findings);
    arena_init(&arena, NULL, 0);
    assert_non_null(yaml_tree_parse(&arena, "t.yaml", slice_of(text), &findings));
    assert_string_equal(said(&findings), "");
    arena_fini(&arena);
    config_findings_fini(&findings);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    check_tree(text, 130, "", "1:65: nested deeper than 64 levels\n");
    memset(text, '[', 500);
    check_tree(text, 500, "", "1:65: nested deeper than 64 levels\n");
}

static void aliases_are_bounded(void **state)
{
    (void)state;
    /* nine levels of nine: 387 million nodes if written out */
    check_tree("a: &a [x,x,x,x,x,x,x,x,x]\n"
               "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
               "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
               "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
               "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
               26 + 4 * 35, "", "5:8: aliases stand for too much; write it out or use fewer of them\n");
    char deep[4096];
    int used = sprintf(deep, "- &a0 [x]\n");
    for (int i = 1; i < 80; i++)
        used += sprintf(deep + used, "- &a%d [*a%d ]\n", i, i - 1);
    check_tree(deep, (size_t)used, "",
               "63:9: aliases stand for too much; write it out or use fewer of them\n");
}

static void anchors_are_bounded(void **state)
{
    (void)state;
    static char text[64 * 1024];
    int used = 0;
    for (int i = 0; i <= YAML_ANCHORS_MAX; i++)
        used += sprintf(text + used, "- &a%d x\n", i);
    check_tree(text, (size_t)used, "", "1001:3: too many anchors\n");
}

static void find(void **state)
{
    (void)state;
    struct config_findings findings;
    struct arena arena;
    config_findings_init(&findings);
    arena_init(&arena, NULL, 0);
    struct yaml_node *tree = yaml_tree_parse(&arena, "t.yaml", SLICE("a: 1\nbc: 2\n"), &findings);
    assert_non_null(tree);
    assert_string_equal(yaml_tree_find(tree, "bc")->text.at, "2");
    assert_null(yaml_tree_find(tree, "b"));
    arena_fini(&arena);
    config_findings_fini(&findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places),
        cmocka_unit_test(refusals),
        cmocka_unit_test(utf16_is_refused),
        cmocka_unit_test(duplicates_are_all_reported),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(aliases_are_bounded),
        cmocka_unit_test(anchors_are_bounded),
        cmocka_unit_test(find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
