// What programs for Node expect to find: globals, and the modules that make sense in a sandbox.
import * as std from 'qjs:std';
import * as os from 'qjs:os';

const HOME = '/usr/local/lib/javascript';
const SHOWN = 6;

// ---- showing values

export function inspect(value, depth = 2, seen = []) {
    if (typeof value === 'string') return quote(value);
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'symbol') return value.toString();
    if (typeof value === 'function') {
        const kind = /^class\b/.test(Function.prototype.toString.call(value)) ? 'class' : 'Function';
        return value.name ? `[${kind}: ${value.name}]` : `[${kind} (anonymous)]`;
    }
    if (Object.is(value, -0)) return '-0';
    if (value === null || typeof value !== 'object') return String(value);
    if (seen.includes(value)) return '[Circular *1]';
    if (value instanceof Error) return value.stack ? `${value}\n${value.stack.trimEnd()}` : `${value}`;
    if (value instanceof Date) return isNaN(value) ? 'Invalid Date' : value.toISOString();
    if (value instanceof RegExp) return String(value);
    if (value instanceof Promise) return 'Promise { <pending> }';
    const name = value.constructor?.name;
    if (depth < 0) return Array.isArray(value) ? '[Array]' : `[${name ?? 'Object: null prototype'}]`;
    const inner = (v) => inspect(v, depth - 1, [...seen, value]);
    if (value instanceof Map) {
        return group(`Map(${value.size}) {`, [...value].map(([k, v]) => `${inner(k)} => ${inner(v)}`), '}');
    }
    if (value instanceof Set) return group(`Set(${value.size}) {`, [...value].map(inner), '}');
    if (value instanceof ArrayBuffer) return `ArrayBuffer { byteLength: ${value.byteLength} }`;
    if (Array.isArray(value) || ArrayBuffer.isView(value)) {
        const items = Array.from(value).slice(0, 100).map((v) => inner(v));
        if (value.length > 100) items.push(`... ${value.length - 100} more items`);
        return group(Array.isArray(value) ? '[' : `${name}(${value.length}) [`, items, ']');
    }
    const key = (k) => (typeof k === 'symbol' ? `[${String(k)}]` : /^[\w$]+$/.test(k) ? k : quote(k));
    const show = (k) => {
        const { get, set, value: held } = Object.getOwnPropertyDescriptor(value, k);
        if (get || set) return `${key(k)}: [${get ? 'Getter' : ''}${get && set ? '/' : ''}${set ? 'Setter' : ''}]`;
        return `${key(k)}: ${inner(held)}`;
    };
    const keys = Reflect.ownKeys(value).filter((k) => Object.prototype.propertyIsEnumerable.call(value, k));
    const head = name === undefined ? '[Object: null prototype] {' : name === 'Object' ? '{' : `${name} {`;
    return group(head, keys.map(show), '}');
}

function quote(text) {
    const mark = text.includes("'") ? (text.includes('"') ? '`' : '"') : "'";
    return mark + JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll(mark, mark === "'" ? "\\'" : mark) + mark;
}

function group(open, items, close) {
    if (!items.length) return open === '[' ? '[]' : `${open}${close}`;
    const line = items.join(', ');
    const short = line.length <= 72 && !line.includes('\n');
    if (short && (open !== '[' || items.length <= SHOWN)) return `${open} ${line} ${close}`;
    if (short && open === '[') return `[\n  ${line}\n]`;
    return `${open}\n${items.map((i) => '  ' + i.replaceAll('\n', '\n  ')).join(',\n')}\n${close}`;
}

export function format(...args) {
    if (typeof args[0] !== 'string') return args.map(shown).join(' ');
    let next = 1;
    const text = args[0].replace(/%[sdifjoOc%]/g, (what) => {
        if (what === '%%') return '%';
        if (next >= args.length) return what;
        const arg = args[next++];
        switch (what) {
            case '%s': return typeof arg === 'string' ? arg : inspect(arg, 0);
            case '%d': return String(Number(arg));
            case '%i': return String(parseInt(arg, 10));
            case '%f': return String(parseFloat(arg));
            case '%j': return JSON.stringify(arg);
            case '%c': return '';
            default: return inspect(arg, 4);
        }
    });
    return [text, ...args.slice(next).map(shown)].join(' ');
}

const shown = (value) => (typeof value === 'string' ? value : inspect(value));

export function report(error) {
    std.out.flush();
    std.err.puts(`Uncaught ${inspect(error)}\n`);
    std.err.flush();
}

// ---- timers, and waiting until there is nothing left to do

const timers = new Map();
let last_timer = 0;
let idle;

function start_timer(again, run, delay, args) {
    if (typeof run !== 'function') throw new TypeError('The "callback" argument must be of type function');
    const id = ++last_timer;
    const wait = Math.max(1, Number(delay) || 0);
    const fire = () => {
        if (again) timers.set(id, os.setTimeout(fire, wait));
        else timers.delete(id);
        try {
            run(...args);
        } catch (error) {
            report(error);
            std.exit(1);
        }
        if (!timers.size) idle?.();
    };
    timers.set(id, os.setTimeout(fire, wait));
    return Object.assign(Object.create({ ref() { return this; }, unref() { return this; }, hasRef: () => true }), {
        [Symbol.toPrimitive]: () => id,
        id,
    });
}

function stop_timer(timer) {
    const id = timer?.id ?? timer;
    if (!timers.has(id)) return;
    os.clearTimeout(timers.get(id));
    timers.delete(id);
    if (!timers.size) idle?.();
}

/** Waits until no timer and no promise is left that could go on. */
export async function drain() {
    do {
        await new Promise((done) => os.setTimeout(done, 0));
        if (timers.size) await new Promise((done) => (idle = done));
    } while (timers.size);
}

// ---- bytes

class Buffer extends Uint8Array {
    static from(value, encoding = 'utf8', length) {
        if (typeof value !== 'string') {
            if (value instanceof ArrayBuffer) return new Buffer(value, encoding === 'utf8' ? 0 : encoding, length);
            return new Buffer(Array.isArray(value) ? value : Array.from(value));
        }
        switch (encoding) {
            case 'hex': return new Buffer((value.match(/../g) ?? []).map((h) => parseInt(h, 16)));
            case 'base64':
            case 'base64url': return new Buffer(decode64(value));
            case 'latin1':
            case 'binary':
            case 'ascii': return new Buffer(Array.from(value, (c) => c.charCodeAt(0) & 255));
            default: return new Buffer(encode_utf8(value));
        }
    }
    static alloc(size, fill = 0) { return new Buffer(size).fill(fill); }
    static allocUnsafe(size) { return new Buffer(size); }
    static isBuffer(value) { return value instanceof Buffer; }
    static byteLength(value) { return typeof value === 'string' ? encode_utf8(value).length : value.byteLength; }
    static concat(list) {
        const all = new Buffer(list.reduce((sum, b) => sum + b.length, 0));
        list.reduce((at, b) => (all.set(b, at), at + b.length), 0);
        return all;
    }
    toString(encoding = 'utf8', start = 0, end = this.length) {
        const bytes = this.subarray(start, end);
        switch (encoding) {
            case 'hex': return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
            case 'base64': return encode64(bytes);
            case 'base64url': return encode64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
            case 'latin1':
            case 'binary':
            case 'ascii': return Array.from(bytes, (b) => String.fromCharCode(b)).join('');
            default: return decode_utf8(bytes);
        }
    }
    toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
    equals(other) { return this.length === other.length && this.every((b, i) => b === other[i]); }
    write(text, at = 0) { const b = encode_utf8(text); this.set(b, at); return b.length; }
}

function encode_utf8(text) {
    const bytes = [];
    for (const char of text) {
        let c = char.codePointAt(0);
        if (c >= 0xd800 && c <= 0xdfff) c = 0xfffd;
        if (c < 0x80) bytes.push(c);
        else if (c < 0x800) bytes.push(0xc0 | (c >> 6), 0x80 | (c & 63));
        else if (c < 0x10000) bytes.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
        else bytes.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
    }
    return Uint8Array.from(bytes);
}

function decode_utf8(bytes) {
    let text = '';
    for (let i = 0; i < bytes.length; ) {
        const b = bytes[i++];
        const more = b < 0x80 ? 0 : b >> 5 === 6 ? 1 : b >> 4 === 14 ? 2 : b >> 3 === 30 ? 3 : -1;
        let c = more <= 0 ? b : b & (0x3f >> more);
        let left = more;
        while (left > 0 && i < bytes.length && bytes[i] >> 6 === 2) {
            c = (c << 6) | (bytes[i++] & 63);
            left--;
        }
        const least = [0, 0x80, 0x800, 0x10000][more];
        const good = more >= 0 && left === 0 && c >= least && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        text += good ? String.fromCodePoint(c) : '\ufffd';
    }
    return text;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function encode64(bytes) {
    let text = '';
    for (let i = 0; i < bytes.length; i += 3) {
        const n = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
        const left = bytes.length - i;
        text += ALPHABET[n >> 18] + ALPHABET[(n >> 12) & 63];
        text += left > 1 ? ALPHABET[(n >> 6) & 63] : '=';
        text += left > 2 ? ALPHABET[n & 63] : '=';
    }
    return text;
}

function decode64(text) {
    const bytes = [];
    let n = 0;
    let bits = 0;
    for (const char of text.replaceAll('-', '+').replaceAll('_', '/')) {
        const value = ALPHABET.indexOf(char);
        if (value < 0) continue;
        n = (n << 6) | value;
        bits += 6;
        if (bits >= 8) bytes.push((n >> (bits -= 8)) & 255);
        n &= (1 << bits) - 1;
    }
    return Uint8Array.from(bytes);
}

// ---- files

const CODES = { 1: 'EPERM', 2: 'ENOENT', 44: 'ENOENT', 20: 'EEXIST', 17: 'EEXIST', 54: 'ENOTDIR', 31: 'EISDIR', 55: 'ENOTEMPTY', 63: 'EPERM', 51: 'ENOSPC' };

function check(errno, call, path) {
    if (errno >= 0 && errno !== undefined && errno !== null) return errno;
    const number = errno < 0 ? -errno : 0;
    const code = CODES[number] ?? 'EIO';
    const error = new Error(`${code}: ${std.strerror(number)}, ${call} '${path}'`);
    throw Object.assign(error, { code, errno: -number, syscall: call, path });
}

const bytes_of = (data) => (typeof data === 'string' ? encode_utf8(data) : new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength));

function read_all(fd) {
    const parts = [];
    for (;;) {
        const part = new Uint8Array(65536);
        const count = check(os.read(fd, part.buffer, 0, part.length), 'read', fd);
        if (!count) return Buffer.concat(parts);
        parts.push(part.subarray(0, count));
    }
}

function write_all(fd, bytes, path) {
    for (let at = 0; at < bytes.length; ) {
        at += check(os.write(fd, bytes.buffer, bytes.byteOffset + at, bytes.length - at), 'write', path);
    }
}

const encoding_of = (options) => (typeof options === 'string' ? options : options?.encoding);

function with_file(path, flags, mode, work) {
    if (typeof path === 'number') return work(path);
    const fd = check(os.open(String(path), flags, mode), 'open', path);
    try {
        return work(fd);
    } finally {
        os.close(fd);
    }
}

function write_with(flags) {
    return (path, data, options) => {
        const mode = options?.mode ?? 0o666;
        with_file(path, flags, mode, (fd) => write_all(fd, bytes_of(data), path));
    };
}

function stat_with(call, name) {
    return (path, options) => {
        const [found, errno] = call(String(path));
        if (errno) {
            if (options?.throwIfNoEntry === false) return undefined;
            check(-errno, name, path);
        }
        const is = (kind) => () => (found.mode & os.S_IFMT) === kind;
        return {
            ...found,
            mtimeMs: found.mtime,
            mtime: new Date(found.mtime),
            isFile: is(os.S_IFREG),
            isDirectory: is(os.S_IFDIR),
            isSymbolicLink: is(os.S_IFLNK),
        };
    };
}

const fs = {
    readFileSync(path, options) {
        const bytes = with_file(path, os.O_RDONLY, 0, read_all);
        const encoding = encoding_of(options);
        return encoding ? bytes.toString(encoding) : bytes;
    },
    writeFileSync: write_with(os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    appendFileSync: write_with(os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    existsSync: (path) => os.stat(String(path))[1] === 0,
    statSync: stat_with(os.stat, 'stat'),
    lstatSync: stat_with(os.lstat ?? os.stat, 'lstat'),
    readdirSync(path, options) {
        const [names, errno] = os.readdir(String(path));
        if (errno) check(-errno, 'scandir', path);
        const found = names.filter((name) => name !== '.' && name !== '..').sort();
        if (!options?.withFileTypes) return found;
        return found.map((name) => ({ ...fs.lstatSync(`${path}/${name}`), name, parentPath: path }));
    },
    mkdirSync(path, options) {
        if (options?.recursive) {
            let at = String(path).startsWith('/') ? '' : '.';
            for (const part of String(path).split('/').filter(Boolean)) {
                at += `/${part}`;
                if (!fs.existsSync(at)) check(os.mkdir(at, 0o777), 'mkdir', path);
            }
            return;
        }
        check(os.mkdir(String(path), options?.mode ?? 0o777), 'mkdir', path);
    },
    rmSync(path, options) {
        const about = fs.lstatSync(path, { throwIfNoEntry: !options?.force });
        if (!about) return;
        if (about.isDirectory()) {
            if (!options?.recursive) check(-31, 'rm', path);
            for (const name of fs.readdirSync(path)) fs.rmSync(`${path}/${name}`, options);
        }
        check(os.remove(String(path)), 'rm', path);
    },
    unlinkSync: (path) => void check(os.remove(String(path)), 'unlink', path),
    rmdirSync: (path) => void check(os.remove(String(path)), 'rmdir', path),
    renameSync: (from, to) => void check(os.rename(String(from), String(to)), 'rename', from),
    copyFileSync: (from, to) => fs.writeFileSync(to, fs.readFileSync(from)),
    symlinkSync: (text, path) => void check(os.symlink(String(text), String(path)), 'symlink', path),
    realpathSync: (path) => os.realpath(String(path))[0] || check(-2, 'realpath', path),
    accessSync: (path) => void fs.statSync(path),
};

fs.promises = {};
for (const [name, call] of Object.entries(fs)) {
    if (!name.endsWith('Sync')) continue;
    const plain = name.slice(0, -4);
    fs.promises[plain] = async (...args) => call(...args);
    fs[plain] = (...args) => {
        const done = args.pop();
        fs.promises[plain](...args).then((value) => done(null, value), (error) => done(error));
    };
}

// ---- paths

function normalize(path) {
    const out = [];
    for (const part of path.split('/')) {
        if (part === '' || part === '.') continue;
        if (part === '..' && out.length && out.at(-1) !== '..') out.pop();
        else if (part !== '..' || !path.startsWith('/')) out.push(part);
    }
    return (path.startsWith('/') ? '/' : '') + out.join('/') || (path.startsWith('/') ? '/' : '.');
}

const path = {
    sep: '/',
    delimiter: ':',
    normalize,
    isAbsolute: (p) => p.startsWith('/'),
    join: (...parts) => normalize(parts.filter(Boolean).join('/') || '.'),
    resolve(...parts) {
        let at = '';
        for (const part of parts) at = part.startsWith('/') ? part : `${at || process_cwd()}/${part}`;
        return normalize(at || process_cwd());
    },
    dirname(p) {
        const cut = p.replace(/\/+$/, '').lastIndexOf('/');
        return cut < 0 ? '.' : p.slice(0, cut) || '/';
    },
    basename(p, ending = '') {
        const base = p.replace(/\/+$/, '').split('/').pop();
        return ending && base !== ending && base.endsWith(ending) ? base.slice(0, -ending.length) : base;
    },
    extname(p) {
        const base = path.basename(p);
        const dot = base.lastIndexOf('.');
        return dot > 0 ? base.slice(dot) : '';
    },
    relative(from, to) {
        const a = path.resolve(from).split('/').filter(Boolean);
        const b = path.resolve(to).split('/').filter(Boolean);
        while (a.length && b.length && a[0] === b[0]) a.shift(), b.shift();
        return [...a.map(() => '..'), ...b].join('/');
    },
    parse(p) {
        const [base, ext] = [path.basename(p), path.extname(p)];
        return { root: p.startsWith('/') ? '/' : '', dir: path.dirname(p), base, ext, name: base.slice(0, base.length - ext.length) };
    },
    format: (p) => `${p.dir ?? p.root ?? ''}${p.dir ? '/' : ''}${p.base ?? (p.name ?? '') + (p.ext ?? '')}`,
};
path.posix = path;

const process_cwd = () => os.getcwd()[0];

// ---- the rest

class EventEmitter {
    #listeners = new Map();
    on(name, run) {
        this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), run]);
        return this;
    }
    addListener(name, run) { return this.on(name, run); }
    once(name, run) {
        const one = (...args) => (this.off(name, one), run.apply(this, args));
        return this.on(name, Object.assign(one, { listener: run }));
    }
    off(name, run) {
        this.#listeners.set(name, (this.#listeners.get(name) ?? []).filter((l) => l !== run && l.listener !== run));
        return this;
    }
    removeListener(name, run) { return this.off(name, run); }
    removeAllListeners(name) { name === undefined ? this.#listeners.clear() : this.#listeners.delete(name); return this; }
    listenerCount(name) { return this.#listeners.get(name)?.length ?? 0; }
    emit(name, ...args) {
        const all = this.#listeners.get(name) ?? [];
        if (!all.length && name === 'error') throw args[0];
        for (const run of all) run.apply(this, args);
        return all.length > 0;
    }
}
EventEmitter.EventEmitter = EventEmitter;

class AssertionError extends Error {
    name = 'AssertionError';
    code = 'ERR_ASSERTION';
}

function same(a, b) {
    if (Object.is(a, b)) return true;
    if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false;
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
    if (a instanceof Date) return +a === +b;
    if (a instanceof Map || a instanceof Set) return same([...a], [...b]);
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((k) => Object.hasOwn(b, k) && same(a[k], b[k]));
}

const claim = (holds, message, fallback) => {
    if (holds) return;
    throw message instanceof Error ? message : new AssertionError(message ?? fallback);
};
const assert = (value, message) => claim(value, message, 'The expression evaluated to a falsy value');
Object.assign(assert, {
    AssertionError,
    ok: assert,
    strict: assert,
    equal: (a, b, m) => claim(a == b, m, `${inspect(a)} == ${inspect(b)}`),
    notEqual: (a, b, m) => claim(a != b, m, `${inspect(a)} != ${inspect(b)}`),
    strictEqual: (a, b, m) => claim(Object.is(a, b), m, `Expected values to be strictly equal:\n\n${inspect(a)} !== ${inspect(b)}\n`),
    notStrictEqual: (a, b, m) => claim(!Object.is(a, b), m, `${inspect(a)} === ${inspect(b)}`),
    deepStrictEqual: (a, b, m) => claim(same(a, b), m, `Expected values to be strictly deep-equal:\n\n${inspect(a)}\n\n${inspect(b)}\n`),
    fail: (m) => claim(false, m, 'Failed'),
    throws(run, expected, message) {
        try {
            run();
        } catch (error) {
            if (expected instanceof RegExp) claim(expected.test(String(error)), message, `${error} does not match ${expected}`);
            return;
        }
        claim(false, message, 'Missing expected exception.');
    },
});
assert.deepEqual = assert.deepStrictEqual;

function random_bytes(size) {
    return with_file('/dev/urandom', os.O_RDONLY, 0, (fd) => {
        const bytes = Buffer.alloc(size);
        for (let at = 0; at < size; ) at += check(os.read(fd, bytes.buffer, at, size - at), 'read', '/dev/urandom');
        return bytes;
    });
}

function random_uuid() {
    const b = random_bytes(16);
    b[6] = (b[6] & 15) | 64;
    b[8] = (b[8] & 63) | 128;
    const h = b.toString('hex');
    return [h.slice(0, 8), h.slice(8, 12), h.slice(12, 16), h.slice(16, 20), h.slice(20)].join('-');
}

const util = {
    inspect: (value, options) => inspect(value, options?.depth ?? 2),
    format,
    promisify: (call) => (...args) => new Promise((done, failed) => call(...args, (e, v) => (e ? failed(e) : done(v)))),
    isDeepStrictEqual: same,
    inherits(child, parent) { Object.setPrototypeOf(child.prototype, parent.prototype); },
    types: { isDate: (v) => v instanceof Date, isRegExp: (v) => v instanceof RegExp, isPromise: (v) => v instanceof Promise },
};

const os_module = {
    EOL: '\n',
    platform: () => 'linux',
    type: () => 'Linux',
    arch: () => 'wasm32',
    tmpdir: () => std.getenv('TMPDIR') ?? '/tmp',
    homedir: () => std.getenv('HOME') ?? '/',
    hostname: () => std.getenv('HOSTNAME') ?? 'localhost',
    cpus: () => [{ model: 'wasm', speed: 0, times: {} }],
};

const timers_module = () => {
    const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate } = globalThis;
    return { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate };
};

const BUILTIN = {
    assert: () => assert,
    'assert/strict': () => assert,
    buffer: () => ({ Buffer }),
    crypto: () => ({ randomBytes: random_bytes, randomUUID: random_uuid }),
    events: () => EventEmitter,
    fs: () => fs,
    'fs/promises': () => fs.promises,
    os: () => os_module,
    path: () => path,
    'path/posix': () => path,
    process: () => globalThis.process,
    timers: timers_module,
    'timers/promises': () => ({ setTimeout: (ms, value) => new Promise((done) => globalThis.setTimeout(done, ms, value)) }),
    util: () => util,
};

// ---- require

const loaded = new Map();

const is_file = (p) => {
    const [about, errno] = os.stat(p);
    return !errno && (about.mode & os.S_IFMT) === os.S_IFREG;
};

function find(base) {
    for (const end of ['', '.js', '.cjs', '.mjs', '.json']) if (is_file(base + end)) return base + end;
    if (is_file(`${base}/package.json`)) {
        const { main } = JSON.parse(std.loadFile(`${base}/package.json`));
        const found = main && find(normalize(`${base}/${main}`));
        if (found) return found;
    }
    return is_file(`${base}/index.js`) ? `${base}/index.js` : undefined;
}

function resolve(name, from) {
    const missing = () => Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
    if (/^\.{0,2}\//.test(name) || name === '.' || name === '..') {
        const found = find(name.startsWith('/') ? normalize(name) : normalize(`${from}/${name}`));
        if (found) return found;
        throw missing();
    }
    for (let dir = from; ; dir = path.dirname(dir)) {
        const found = find(normalize(`${dir}/node_modules/${name}`));
        if (found) return found;
        if (dir === '/' || dir === '.') throw missing();
    }
}

export function require_from(dir) {
    const require = (name) => {
        const plain = name.replace(/^node:/, '');
        if (Object.hasOwn(BUILTIN, plain)) return BUILTIN[plain]();
        if (name.startsWith('node:')) throw Object.assign(new Error(`No such built-in module: ${name}`), { code: 'ERR_UNKNOWN_BUILTIN_MODULE' });
        const file = resolve(name, dir);
        if (loaded.has(file)) return loaded.get(file).exports;
        const module = { exports: {}, filename: file, id: file, loaded: false };
        loaded.set(file, module);
        try {
            load(module, file);
        } catch (error) {
            loaded.delete(file);
            throw error;
        }
        module.loaded = true;
        return module.exports;
    };
    require.resolve = (name) => resolve(name, dir);
    require.cache = {};
    return require;
}

function load(module, file) {
    const text = std.loadFile(file);
    if (text === null) check(-2, 'open', file);
    if (file.endsWith('.json')) {
        module.exports = JSON.parse(text);
        return;
    }
    const dir = path.dirname(file);
    const code = text.replace(/^#!.*/, '');
    const wrapped = `(function (exports, require, module, __filename, __dirname) {${code}\n})`;
    const run = std.evalScript(wrapped);
    const require = require_from(dir);
    require.main = module;
    run.call(module.exports, module.exports, require, module, file, dir);
}

// ---- ECMAScript modules

/** Runs `code` as a module in `dir`: what it imports by a built-in name or relatively is found. */
export async function run_module(code, dir, file) {
    const builtins = new Map();
    const place = (name) => {
        const plain = name.replace(/^node:/, '');
        if (Object.hasOwn(BUILTIN, plain)) {
            if (!builtins.has(plain)) builtins.set(plain, write_shim(plain));
            return builtins.get(plain);
        }
        if (name.startsWith('qjs:')) return name;
        return resolve(name, dir);
    };
    const pattern = /((?:^|;)\s*(?:import|export)\b[^'"`;]*?(?:\bfrom\s*)?)(['"])([^'"\n]+)\2/gm;
    const text = code.replace(/^#!.*/, '').replace(pattern, (_, before, mark, name) => `${before}${mark}${place(name)}${mark}`);
    const url = `file://${file ?? `${dir}/[eval]`}`;
    const header = `import.meta.url = ${JSON.stringify(url)}; import.meta.dirname = ${JSON.stringify(dir)};`;
    await import(write_temporary(`${header}${text}`));
}

function write_shim(name) {
    const names = Object.keys(BUILTIN[name]()).filter((n) => /^[A-Za-z_$][\w$]*$/.test(n) && n !== 'default');
    const exports = names.map((n) => `export const ${n} = all.${n};`).join('\n');
    return write_temporary(`const all = globalThis[Symbol.for('builtin')](${JSON.stringify(name)});\nexport default all;\n${exports}\n`);
}

const temporary = [];

function write_temporary(text) {
    const file = `/tmp/.module-${random_bytes(8).toString("hex")}-${temporary.length}.mjs`;
    fs.writeFileSync(file, text);
    temporary.push(file);
    return file;
}

function remove_temporary() {
    for (const file of temporary.splice(0)) os.remove(file);
}

// ---- globals

function stream(file, fd) {
    const out = new EventEmitter();
    out.fd = fd;
    out.isTTY = false;
    out.writable = true;
    out.write = (data, encoding, done) => {
        file.flush();
        write_all(fd, bytes_of(data), fd);
        const then = typeof encoding === 'function' ? encoding : done;
        if (then) queueMicrotask(() => then());
        return true;
    };
    out.end = (data) => void (data !== undefined && out.write(data));
    return out;
}

function make_process() {
    const process = new EventEmitter();
    const began = Date.now();
    const environment = std.getenviron();
    return Object.assign(process, {
        argv: [],
        argv0: 'node',
        execArgv: [],
        execPath: '/usr/local/bin/node',
        env: environment,
        platform: 'linux',
        arch: 'wasm32',
        pid: os.getpid?.() ?? 1,
        title: 'node',
        exitCode: undefined,
        version: 'v0.17.0',
        versions: { quickjs: '0.17.0' },
        release: { name: 'quickjs-ng' },
        stdout: stream(std.out, 1),
        stderr: stream(std.err, 2),
        stdin: { fd: 0, isTTY: false, async *[Symbol.asyncIterator]() { yield read_all(0); } },
        cwd: process_cwd,
        chdir: (dir) => void check(os.chdir(dir), 'chdir', dir),
        exit(code) {
            if (code !== undefined) process.exitCode = code;
            process.emit('exit', process.exitCode ?? 0);
            remove_temporary();
            std.out.flush();
            std.exit(Number(process.exitCode ?? 0) & 255);
        },
        nextTick: (run, ...args) => queueMicrotask(() => run(...args)),
        uptime: () => (Date.now() - began) / 1000,
        hrtime: Object.assign(
            (since) => {
                const now = performance.now() * 1e6;
                const [s, n] = [Math.floor(now / 1e9), Math.floor(now % 1e9)];
                return since ? [s - since[0] - (n < since[1] ? 1 : 0), (n - since[1] + 1e9) % 1e9] : [s, n];
            },
            { bigint: () => BigInt(Math.round(performance.now() * 1e6)) },
        ),
        memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0 }),
        emitWarning: (text) => std.err.puts(`Warning: ${text}\n`),
    });
}

function make_console() {
    let indent = '';
    const times = new Map();
    const counts = new Map();
    const write = (file) => (...args) => {
        const text = format(...args);
        file.puts(indent + (indent ? text.replaceAll('\n', `\n${indent}`) : text) + '\n');
        file.flush();
    };
    const [out, err] = [write(std.out), write(std.err)];
    return {
        log: out, info: out, debug: out, error: err, warn: err,
        trace: (...args) => err('Trace:', ...args),
        dir: (value, options) => out(inspect(value, options?.depth ?? 2)),
        table: (value) => out(value),
        assert: (holds, ...args) => void (holds || err('Assertion failed:', ...args)),
        group: (...args) => { if (args.length) out(...args); indent += '  '; },
        groupEnd: () => { indent = indent.slice(2); },
        time: (name = 'default') => void times.set(name, Date.now()),
        timeEnd: (name = 'default') => out(`${name}: ${Date.now() - times.get(name)}ms`),
        timeLog: (name = 'default') => out(`${name}: ${Date.now() - times.get(name)}ms`),
        count: (name = 'default') => { counts.set(name, (counts.get(name) ?? 0) + 1); out(`${name}: ${counts.get(name)}`); },
    };
}

/** Puts the globals of Node in place. */
export function install(argv) {
    const timer = (again) => (run, delay, ...args) => start_timer(again, run, delay, args);
    const globals = {
        global: globalThis,
        Buffer,
        console: make_console(),
        process: make_process(),
        setTimeout: timer(false),
        setInterval: timer(true),
        setImmediate: (run, ...args) => start_timer(false, run, 0, args),
        clearTimeout: stop_timer,
        clearInterval: stop_timer,
        clearImmediate: stop_timer,
        structuredClone: globalThis.structuredClone ?? ((value) => JSON.parse(JSON.stringify(value))),
        TextEncoder: class { encoding = 'utf-8'; encode(text = '') { return encode_utf8(text); } },
        TextDecoder: class { encoding = 'utf-8'; decode(bytes) { return bytes ? decode_utf8(bytes_of(bytes)) : ''; } },
        btoa: globalThis.btoa ?? ((text) => encode64(Buffer.from(text, 'latin1'))),
        atob: globalThis.atob ?? ((text) => new Buffer(decode64(text)).toString('latin1')),
        crypto: { randomUUID: random_uuid, getRandomValues: (array) => (bytes_of(array).set(random_bytes(array.byteLength)), array) },
    };
    for (const [name, value] of Object.entries(globals)) {
        Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
    }
    globalThis[Symbol.for('builtin')] = (name) => BUILTIN[name]();
    globalThis.process.argv = argv;
}
