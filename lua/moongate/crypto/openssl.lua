---OpenSSL's libcrypto as the modules of moongate.crypto call it: declarations, algorithms that are fetched once, and
---its queue of errors, which is shared with the program's TLS and therefore left empty after each failure.
local ffi = require "ffi"
local libraries = require "moongate.internal.libraries"

local openssl = {}

ffi.cdef [[
unsigned long ERR_peek_last_error(void);
const char *ERR_reason_error_string(unsigned long error);
void ERR_clear_error(void);

struct mg_ossl_param { const char *key; unsigned int kind; void *data; size_t size; size_t returned; };

struct evp_md_st *EVP_MD_fetch(void *library, const char *name, const char *properties);
void EVP_MD_free(struct evp_md_st *md);
struct evp_md_ctx_st *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(struct evp_md_ctx_st *ctx);
int EVP_MD_CTX_copy_ex(struct evp_md_ctx_st *to, const struct evp_md_ctx_st *from);
int EVP_DigestInit_ex2(struct evp_md_ctx_st *ctx, const struct evp_md_st *md, const struct mg_ossl_param *params);
int EVP_DigestUpdate(struct evp_md_ctx_st *ctx, const void *data, size_t n);
int EVP_DigestFinal_ex(struct evp_md_ctx_st *ctx, unsigned char *out, unsigned int *n);

struct evp_mac_st *EVP_MAC_fetch(void *library, const char *name, const char *properties);
void EVP_MAC_free(struct evp_mac_st *mac);
struct evp_mac_ctx_st *EVP_MAC_CTX_new(struct evp_mac_st *mac);
struct evp_mac_ctx_st *EVP_MAC_CTX_dup(const struct evp_mac_ctx_st *ctx);
void EVP_MAC_CTX_free(struct evp_mac_ctx_st *ctx);
int EVP_MAC_CTX_set_params(struct evp_mac_ctx_st *ctx, const struct mg_ossl_param *params);
int EVP_MAC_init(struct evp_mac_ctx_st *ctx, const unsigned char *key, size_t n, const struct mg_ossl_param *params);
int EVP_MAC_update(struct evp_mac_ctx_st *ctx, const unsigned char *data, size_t n);
int EVP_MAC_final(struct evp_mac_ctx_st *ctx, unsigned char *out, size_t *n, size_t size);

struct evp_cipher_st *EVP_CIPHER_fetch(void *library, const char *name, const char *properties);
void EVP_CIPHER_free(struct evp_cipher_st *cipher);
struct evp_cipher_ctx_st *EVP_CIPHER_CTX_new(void);
void EVP_CIPHER_CTX_free(struct evp_cipher_ctx_st *ctx);
int EVP_CIPHER_CTX_ctrl(struct evp_cipher_ctx_st *ctx, int command, int n, void *data);
int EVP_CipherInit_ex2(struct evp_cipher_ctx_st *ctx, const struct evp_cipher_st *cipher, const unsigned char *key,
                       const unsigned char *iv, int encrypt, const struct mg_ossl_param *params);
int EVP_CipherUpdate(struct evp_cipher_ctx_st *ctx, unsigned char *out, int *n, const unsigned char *in, int in_n);
int EVP_CipherFinal_ex(struct evp_cipher_ctx_st *ctx, unsigned char *out, int *n);

int RAND_bytes(unsigned char *out, int n);
int CRYPTO_memcmp(const void *a, const void *b, size_t n);
void CRYPTO_free(void *memory, const char *file, int line);
int PKCS5_PBKDF2_HMAC(const char *password, int n, const unsigned char *salt, int salt_n, int iterations,
                      const struct evp_md_st *md, int length, unsigned char *out);
int EVP_PBE_scrypt(const char *password, size_t n, const unsigned char *salt, size_t salt_n, uint64_t cost, uint64_t r,
                   uint64_t p, uint64_t memory_most, unsigned char *out, size_t length);

int EVP_EncodeBlock(unsigned char *out, const unsigned char *in, int n);
int EVP_DecodeBlock(unsigned char *out, const unsigned char *in, int n);
int OPENSSL_buf2hexstr_ex(char *out, size_t size, size_t *n, const unsigned char *in, size_t in_n, const char sep);
int OPENSSL_hexstr2buf_ex(unsigned char *out, size_t size, size_t *n, const char *in, const char sep);
]]

local C = libraries.load("libcrypto.so.3", "libcrypto.so")

---The library.
openssl.C = C

---Why the last call failed, in OpenSSL's words; leaves its queue of errors empty.
---@param otherwise string when OpenSSL says nothing
---@return string
function openssl.reason(otherwise)
  local code = C.ERR_peek_last_error()
  local text = code ~= 0 and C.ERR_reason_error_string(code) or nil
  local reason = text ~= nil and ffi.string(text) or otherwise
  C.ERR_clear_error()
  return reason
end

---For what cannot fail but for lack of memory or a broken installation.
---@param worked boolean
---@param what string
function openssl.must(worked, what)
  if not worked then error(("OpenSSL failed: %s: %s"):format(what, openssl.reason("no reason given")), 0) end
end

local digests = {}
local DIGESTS = {
  md5 = "MD5", sha1 = "SHA1", sha256 = "SHA256", sha384 = "SHA384", sha512 = "SHA512", blake2b = "BLAKE2B-512",
}

---OpenSSL's name of a digest; nil when there is none.
---@param name any as scripts say it
---@return string?
function openssl.digest_name(name)
  return DIGESTS[name]
end

---A digest that is fetched once and kept.
---@param name string a name that `digest_name` knows
---@return ffi.cdata*
function openssl.digest(name)
  local md = digests[name]
  if md then return md end
  md = C.EVP_MD_fetch(nil, DIGESTS[name], nil)
  openssl.must(md ~= nil, "fetching " .. name)
  md = ffi.gc(md, C.EVP_MD_free)
  digests[name] = md
  return md
end

return openssl
