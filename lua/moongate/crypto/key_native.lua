---What moongate.crypto.key does with OpenSSL's EVP_PKEY. Handles free themselves; nil means that OpenSSL refused, and
---its reason may be asked for at once.
local ffi = require "ffi"
local openssl = require "moongate.crypto.openssl"

local native = {}

ffi.cdef [[
struct bio_st *BIO_new_mem_buf(const void *data, int n);
struct bio_st *BIO_new(const void *method);
const void *BIO_s_mem(void);
long BIO_ctrl(struct bio_st *bio, int command, long n, void *out);
int BIO_free(struct bio_st *bio);

struct evp_pkey_st *PEM_read_bio_PrivateKey(struct bio_st *bio, void *into, void *ask, const char *password);
struct evp_pkey_st *PEM_read_bio_PUBKEY(struct bio_st *bio, void *into, void *ask, const char *password);
struct x509_st *PEM_read_bio_X509(struct bio_st *bio, void *into, void *ask, const char *password);
int PEM_write_bio_PUBKEY(struct bio_st *bio, const struct evp_pkey_st *key);
int PEM_write_bio_PKCS8PrivateKey(struct bio_st *bio, const struct evp_pkey_st *key, const void *cipher,
                                  const char *password, int n, void *ask, void *user);
struct evp_pkey_st *d2i_AutoPrivateKey(void *into, const unsigned char **in, long n);
struct evp_pkey_st *d2i_PUBKEY(void *into, const unsigned char **in, long n);
struct x509_st *d2i_X509(void *into, const unsigned char **in, long n);
int i2d_PUBKEY(const struct evp_pkey_st *key, unsigned char **out);
struct evp_pkey_st *X509_get_pubkey(struct x509_st *certificate);
void X509_free(struct x509_st *certificate);

void EVP_PKEY_free(struct evp_pkey_st *key);
int EVP_PKEY_get_base_id(const struct evp_pkey_st *key);
int EVP_PKEY_get_bits(const struct evp_pkey_st *key);
int EVP_PKEY_get_group_name(const struct evp_pkey_st *key, char *name, size_t size, size_t *n);
int EVP_PKEY_get_raw_public_key(const struct evp_pkey_st *key, unsigned char *out, size_t *n);
int EVP_PKEY_get_bn_param(const struct evp_pkey_st *key, const char *name, struct bignum_st **number);
struct evp_pkey_st *EVP_PKEY_Q_keygen(void *library, const char *properties, const char *kind, ...);
struct evp_pkey_ctx_st *EVP_PKEY_CTX_new_from_pkey(void *library, struct evp_pkey_st *key, const char *properties);
void EVP_PKEY_CTX_free(struct evp_pkey_ctx_st *ctx);
int EVP_PKEY_pairwise_check(struct evp_pkey_ctx_st *ctx);
int EVP_PKEY_CTX_set_rsa_padding(struct evp_pkey_ctx_st *ctx, int padding);
int EVP_PKEY_CTX_set_rsa_pss_saltlen(struct evp_pkey_ctx_st *ctx, int length);
int EVP_DigestSignInit_ex(struct evp_md_ctx_st *ctx, struct evp_pkey_ctx_st **key_ctx, const char *digest,
                          void *library, const char *properties, struct evp_pkey_st *key, const void *params);
int EVP_DigestVerifyInit_ex(struct evp_md_ctx_st *ctx, struct evp_pkey_ctx_st **key_ctx, const char *digest,
                            void *library, const char *properties, struct evp_pkey_st *key, const void *params);
int EVP_DigestSign(struct evp_md_ctx_st *ctx, unsigned char *out, size_t *n, const unsigned char *data, size_t data_n);
int EVP_DigestVerify(struct evp_md_ctx_st *ctx, const unsigned char *signature, size_t n, const unsigned char *data,
                     size_t data_n);

struct ecdsa_sig_st *ECDSA_SIG_new(void);
void ECDSA_SIG_free(struct ecdsa_sig_st *signature);
struct ecdsa_sig_st *d2i_ECDSA_SIG(void *into, const unsigned char **in, long n);
int i2d_ECDSA_SIG(const struct ecdsa_sig_st *signature, unsigned char **out);
void ECDSA_SIG_get0(const struct ecdsa_sig_st *signature, const struct bignum_st **r, const struct bignum_st **s);
int ECDSA_SIG_set0(struct ecdsa_sig_st *signature, struct bignum_st *r, struct bignum_st *s);
struct bignum_st *BN_bin2bn(const unsigned char *in, int n, struct bignum_st *into);
int BN_bn2binpad(const struct bignum_st *number, unsigned char *out, int n);
int BN_num_bits(const struct bignum_st *number);
void BN_free(struct bignum_st *number);
]]

local C, must = openssl.C, openssl.must

local RSA, RSA_PSS, EC, ED25519 = 6, 912, 408, 1087
local PSS_PADDING, SALT_AS_DIGEST = 6, -1
local BIO_INFO = 3

local function owned(handle)
  return handle ~= nil and ffi.gc(handle, C.EVP_PKEY_free) or nil
end

-- Reading -------------------------------------------------------------------------------------------------------------

local function key_of_certificate(certificate)
  if certificate == nil then return nil end
  certificate = ffi.gc(certificate, C.X509_free)
  return owned(C.X509_get_pubkey(certificate))
end

---@param text string
---@param what "private"|"public"|"certificate"
---@param password string never nil: OpenSSL would ask the terminal
---@return ffi.cdata*?
function native.from_pem(text, what, password)
  local bio = ffi.gc(C.BIO_new_mem_buf(text, #text), C.BIO_free)
  if what == "private" then return owned(C.PEM_read_bio_PrivateKey(bio, nil, nil, password)) end
  if what == "public" then return owned(C.PEM_read_bio_PUBKEY(bio, nil, nil, password)) end
  return key_of_certificate(C.PEM_read_bio_X509(bio, nil, nil, password))
end

---@param bytes string
---@param private boolean
---@return ffi.cdata*? handle nil also when something follows the key
function native.from_der(bytes, private)
  local start = ffi.cast("const unsigned char *", bytes)
  local at = ffi.new("const unsigned char *[1]", start)
  local handle
  if private then
    handle = owned(C.d2i_AutoPrivateKey(nil, at, #bytes))
  else
    handle = owned(C.d2i_PUBKEY(nil, at, #bytes))
    if not handle then
      at[0] = start
      handle = key_of_certificate(C.d2i_X509(nil, at, #bytes))
    end
  end
  if not handle or at[0] ~= start + #bytes then return nil end
  C.ERR_clear_error()
  return handle
end

---Whether the halves of a private key belong together.
---@param handle ffi.cdata*
---@param x? string the public half that was named, for Ed25519
---@return boolean
function native.fits(handle, x)
  if C.EVP_PKEY_get_base_id(handle) == ED25519 then
    local out, n = ffi.new "uint8_t[32]", ffi.new("size_t[1]", 32)
    must(C.EVP_PKEY_get_raw_public_key(handle, out, n) == 1, "reading a public key")
    return ffi.string(out, 32) == x
  end
  local ctx = C.EVP_PKEY_CTX_new_from_pkey(nil, handle, nil)
  must(ctx ~= nil, "checking a key")
  local fits = C.EVP_PKEY_pairwise_check(ffi.gc(ctx, C.EVP_PKEY_CTX_free)) == 1
  C.ERR_clear_error()
  return fits
end

---@param kind string OpenSSL's name
---@param ... any size or curve
---@return ffi.cdata*
function native.generate(kind, ...)
  local handle = owned(C.EVP_PKEY_Q_keygen(nil, nil, kind, ...))
  must(handle ~= nil, "making a key")
  return handle
end

---@param handle ffi.cdata*
---@return "rsa"|"ec"|"ed25519"|nil kind
---@return integer bits
---@return string? group
function native.describe(handle)
  local id, bits = C.EVP_PKEY_get_base_id(handle), C.EVP_PKEY_get_bits(handle)
  if id == RSA or id == RSA_PSS then return "rsa", bits end
  if id == ED25519 then return "ed25519", bits end
  if id ~= EC then return nil, bits end
  local name, n = ffi.new "char[64]", ffi.new "size_t[1]"
  if C.EVP_PKEY_get_group_name(handle, name, 64, n) ~= 1 then
    C.ERR_clear_error()
    return nil, bits
  end
  return "ec", bits, ffi.string(name, n[0])
end

-- Signatures ----------------------------------------------------------------------------------------------------------

local function prepare(init, handle, digest, padding)
  local ctx = C.EVP_MD_CTX_new()
  must(ctx ~= nil, "making a signature")
  ctx = ffi.gc(ctx, C.EVP_MD_CTX_free)
  local key_ctx = ffi.new "struct evp_pkey_ctx_st *[1]"
  if init(ctx, key_ctx, digest, nil, nil, handle, nil) ~= 1 then return nil end
  if padding == "pss" then
    if C.EVP_PKEY_CTX_set_rsa_padding(key_ctx[0], PSS_PADDING) ~= 1
      or C.EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx[0], SALT_AS_DIGEST) ~= 1 then
      return nil
    end
  end
  return ctx
end

---@param handle ffi.cdata*
---@param data string
---@param digest string? OpenSSL's name
---@param padding "pkcs1"|"pss"|nil
---@return string?
function native.sign(handle, data, digest, padding)
  local ctx = prepare(C.EVP_DigestSignInit_ex, handle, digest, padding)
  local n = ffi.new "size_t[1]"
  if not ctx or C.EVP_DigestSign(ctx, nil, n, data, #data) ~= 1 then return nil end
  local out = ffi.new("uint8_t[?]", tonumber(n[0]))
  if C.EVP_DigestSign(ctx, out, n, data, #data) ~= 1 then return nil end
  return ffi.string(out, n[0])
end

---@param handle ffi.cdata*
---@param signature string
---@param data string
---@param digest string?
---@param padding "pkcs1"|"pss"|nil
---@return boolean
function native.verify(handle, signature, data, digest, padding)
  local ctx = prepare(C.EVP_DigestVerifyInit_ex, handle, digest, padding)
  local fits = ctx and C.EVP_DigestVerify(ctx, signature, #signature, data, #data) == 1 or false
  if not fits then C.ERR_clear_error() end
  return fits
end

---ECDSA's r and s side by side, from DER.
---@param signature string
---@param size integer bytes of each
---@return string?
function native.to_raw(signature, size)
  local at = ffi.new("const unsigned char *[1]", ffi.cast("const unsigned char *", signature))
  local read = C.d2i_ECDSA_SIG(nil, at, #signature)
  if read == nil then return nil end
  read = ffi.gc(read, C.ECDSA_SIG_free)
  local numbers = ffi.new "const struct bignum_st *[2]"
  C.ECDSA_SIG_get0(read, numbers, numbers + 1)
  local out = ffi.new("uint8_t[?]", 2 * size)
  if C.BN_bn2binpad(numbers[0], out, size) < 0 or C.BN_bn2binpad(numbers[1], out + size, size) < 0 then return nil end
  return ffi.string(out, 2 * size)
end

---DER from ECDSA's r and s side by side.
---@param signature string
---@param size integer bytes of each
---@return string? der nil when it has another length
function native.from_raw(signature, size)
  if #signature ~= 2 * size then return nil end
  local made = C.ECDSA_SIG_new()
  must(made ~= nil, "making a signature")
  made = ffi.gc(made, C.ECDSA_SIG_free)
  local bytes = ffi.cast("const unsigned char *", signature)
  local r, s = C.BN_bin2bn(bytes, size, nil), C.BN_bin2bn(bytes + size, size, nil)
  must(r ~= nil and s ~= nil and C.ECDSA_SIG_set0(made, r, s) == 1, "making a signature")
  local n = C.i2d_ECDSA_SIG(made, nil)
  must(n > 0, "writing a signature")
  local out = ffi.new("uint8_t[?]", n)
  C.i2d_ECDSA_SIG(made, ffi.new("unsigned char *[1]", out))
  return ffi.string(out, n)
end

-- Writing -------------------------------------------------------------------------------------------------------------

---@param handle ffi.cdata*
---@return string
function native.public_der(handle)
  local n = C.i2d_PUBKEY(handle, nil)
  must(n > 0, "writing a public key")
  local out = ffi.new("uint8_t[?]", n)
  C.i2d_PUBKEY(handle, ffi.new("unsigned char *[1]", out))
  return ffi.string(out, n)
end

---@param handle ffi.cdata*
---@param private boolean
---@return string
function native.to_pem(handle, private)
  local bio = ffi.gc(C.BIO_new(C.BIO_s_mem()), C.BIO_free)
  local worked
  if private then
    worked = C.PEM_write_bio_PKCS8PrivateKey(bio, handle, nil, nil, 0, nil, nil)
  else
    worked = C.PEM_write_bio_PUBKEY(bio, handle)
  end
  must(worked == 1, "writing a key")
  local start = ffi.new "char *[1]"
  local n = C.BIO_ctrl(bio, BIO_INFO, 0, start)
  return ffi.string(start[0], n)
end

---A number of a key, big end first.
---@param handle ffi.cdata*
---@param name string OpenSSL's name of it
---@return string
function native.number(handle, name)
  local number = ffi.new "struct bignum_st *[1]"
  must(C.EVP_PKEY_get_bn_param(handle, name, number) == 1, "reading a key")
  local owner = ffi.gc(number[0], C.BN_free)
  local size = math.ceil(C.BN_num_bits(owner) / 8)
  local out = ffi.new("uint8_t[?]", size)
  C.BN_bn2binpad(owner, out, size)
  return ffi.string(out, size)
end

return native
