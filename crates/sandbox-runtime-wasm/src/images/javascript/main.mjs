// The part of Node's command line that this image has: node [-e CODE | -p CODE | FILE | -] ARGS…
import * as std from 'qjs:std';
import * as os from 'qjs:os';
import { inspect, install, require_from, run_module, drain, report } from './modules.mjs';

const USAGE = `Usage: node [options] [script.js | -] [arguments]

  -e, --eval CODE           run CODE
  -p, --print CODE          run CODE and print what it comes to
  -i                        not offered: there is no terminal
  --input-type=module       CODE and standard input are ECMAScript modules
  -v, --version             the version of the engine
  -h, --help                this text

JavaScript runs on QuickJS-NG, with the modules fs, path, os, util, events, assert, url, timers,
process, buffer and child_process' names where they make sense. ECMAScript modules are files that end in
.mjs, or that import or export.
`;

function fail(code, message) {
    std.err.puts(message + '\n');
    std.err.flush();
    std.exit(code);
}

function parse(args) {
    const options = { print: false, code: undefined, module: false, rest: [] };
    while (args.length) {
        const arg = args.shift();
        if (arg === '--') break;
        if (arg === '-' || !arg.startsWith('-')) {
            args.unshift(arg);
            break;
        }
        if (['-e', '--eval', '-p', '--print', '-pe'].includes(arg)) {
            if (!args.length) fail(9, `node: ${arg} requires an argument`);
            options.print = options.print || arg.includes('p');
            options.code = args.shift();
        } else if (arg.startsWith('--eval=')) options.code = arg.slice(7);
        else if (arg === '-v' || arg === '--version') {
            std.out.puts(`v${globalThis.process.versions.quickjs}\n`);
            std.exit(0);
        } else if (arg === '-h' || arg === '--help') {
            std.out.puts(USAGE);
            std.exit(0);
        } else if (arg.startsWith('--input-type=')) options.module = arg.endsWith('=module');
        // What tunes an engine that is another one.
        else if (!arg.startsWith('--')) fail(9, `node: bad option: ${arg}`);
    }
    options.rest = args;
    return options;
}

async function main() {
    const pwd = std.getenv('PWD');
    if (pwd) os.chdir(pwd);
    const args = scriptArgs.slice(1);
    install([]);
    const options = parse(args);
    const process = globalThis.process;
    if (options.code !== undefined) {
        process.argv = [process.execPath, ...options.rest];
        return run_text(options.code, '[eval]', options);
    }
    const [file, ...rest] = options.rest;
    if (file === undefined || file === '-') {
        process.argv = [process.execPath, '-', ...rest];
        return run_text(std.in.readAsString(), '[stdin]', options);
    }
    return run_file(file, rest);
}

async function run_text(code, name, options) {
    const require = require_from(globalThis.process.cwd());
    globalThis.require = require;
    if (options.module || is_module(code)) return run_module(code, globalThis.process.cwd());
    globalThis.module = { exports: {} };
    globalThis.exports = globalThis.module.exports;
    const value = std.evalScript(code);
    if (options.print) std.out.puts((typeof value === 'string' ? value : inspect(value)) + '\n');
}

async function run_file(file, rest) {
    const require = require_from(globalThis.process.cwd());
    let path;
    try {
        path = require.resolve(file.startsWith('/') ? file : `./${file}`);
    } catch {
        fail(1, `Error: Cannot find module '${file}'`);
    }
    globalThis.process.argv = [globalThis.process.execPath, path, ...rest];
    const code = std.loadFile(path);
    if (path.endsWith('.mjs') || (!path.endsWith('.cjs') && is_module(code))) {
        return run_module(code, path.slice(0, path.lastIndexOf('/')) || '/', path);
    }
    require(path);
}

// As Node tells them apart: only a module imports, exports or awaits at its top.
function is_module(code) {
    return /^\s*(import\s*[\w{*'"]|export\s+[\w{*]|export\s*\{)/m.test(code);
}

try {
    await main();
    await drain();
    globalThis.process.exit();
} catch (error) {
    report(error);
    globalThis.process.exit(1);
}
