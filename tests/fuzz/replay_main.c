/*
 * Replays a corpus: gives every file of the directories on the command line to the fuzz target this is
 * linked with. Each input is a heap block of its exact size, so ASan sees a read one byte past the end.
 * The search for new inputs is libFuzzer's (./dev fuzz); this must stay runnable with any compiler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size);
    if (!file || (size > 0 && !data) || fread(data, 1, size, file) != size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static int replay_directory(const char *directory)
{
    DIR *dir = opendir(directory);
    if (!dir) {
        perror(directory);
        exit(1);
    }
    int files = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            replay_file(path, (size_t)st.st_size);
            files++;
        }
    }
    closedir(dir);
    return files;
}

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++)
        files += replay_directory(argv[i]);
    printf("%d inputs replayed\n", files);
    return files > 0 ? 0 : 1;
}
