/* Pairs of SHA-256 under the sanitizers: random stretches of exact length. Each digest is compared with that of
 * the same bytes taken alone, at most one block at a time, and these with the example of the standard. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sha256.h"

static uint64_t state = 1;

static uint64_t below(uint64_t n) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % n;
}

static void alone(const unsigned char *data, size_t nbytes, unsigned char out[SHA256_NBYTES]) {
    sha256 digest;
    sha256_begin(&digest);
    for (size_t done = 0; done < nbytes;) {
        size_t n = 1 + (size_t)below(SHA256_BLOCK);
        n = n < nbytes - done ? n : nbytes - done;
        sha256_take(&digest, NULL, data + done, n);
        done += n;
    }
    sha256_end(&digest, out);
}

static int trial(void) {
    const size_t before = (size_t)below(200), nbytes = (size_t)below(below(4) ? 300 : 5000);
    unsigned char *data = malloc(before + nbytes + 1), found[SHA256_NBYTES], expected[SHA256_NBYTES];
    if (data == NULL) {
        exit(2);
    }
    for (size_t i = 0; i < before + nbytes; i++) {
        data[i] = (unsigned char)below(256);
    }
    sha256 file, tensor;
    sha256_begin(&file);
    sha256_begin(&tensor);
    sha256_take(&file, NULL, data, before);
    for (size_t done = 0; done < nbytes;) {
        const size_t n = 1 + (size_t)below(nbytes - done);
        unsigned char *exact = malloc(n);
        if (exact == NULL) {
            exit(2);
        }
        memcpy(exact, data + before + done, n);
        sha256_take(&file, &tensor, exact, n);
        free(exact);
        done += n;
    }
    sha256_end(&file, found);
    alone(data, before + nbytes, expected);
    int failed = memcmp(found, expected, sizeof found) != 0;
    sha256_end(&tensor, found);
    alone(data + before, nbytes, expected);
    failed |= memcmp(found, expected, sizeof found) != 0;
    free(data);
    return failed;
}

int main(void) {
    if (!sha256_available()) {
        printf("kernel digests: this processor has no instructions for them\n");
        return 0;
    }
    unsigned char found[SHA256_NBYTES];
    alone((const unsigned char *)"abc", 3, found);
    int failed = !(found[0] == 0xBA && found[1] == 0x78 && found[31] == 0xAD);
    for (int i = 0; i < 3000; i++) {
        failed += trial();
    }
    printf("kernel digests: %d failed\n", failed);
    return failed != 0;
}
