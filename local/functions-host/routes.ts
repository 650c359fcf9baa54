import type { RegisteredFunction } from './protocol.ts';
import { isTrigger } from './protocol.ts';
import type { Settings } from './settings.ts';
import { expandSettings } from './settings.ts';

export interface RouteMatch {
  fn: RegisteredFunction;
  params: Record<string, string>;
}

interface Segment {
  literal?: string;
  name?: string;
  optional: boolean;
  catchAll: boolean;
  whenMissing?: string;
  tests: ((value: string) => boolean)[];
}

interface Route {
  fn: RegisteredFunction;
  template: string;
  segments: Segment[];
  methods: Set<string>;
}

/**
 * The routes of an app, tried in function-name order, ignoring case; the first match wins and how specific a template
 * is does not count.
 */
export class Routes {
  readonly warnings: string[] = [];
  readonly #routes: Route[] = [];

  /** @throws for names, templates and conflicts that put a function in error on Azure. */
  constructor(functions: readonly RegisteredFunction[], prefix: string, settings: Settings) {
    for (const fn of inNameOrder(functions)) {
      if (!isTrigger(fn, 'httpTrigger')) continue;
      const route = this.#parse(fn, prefix, settings);
      this.#refuseConflict(route);
      this.#warnIfShadowed(route);
      this.#routes.push(route);
    }
  }

  /** Where an HTTP function is found; nothing for other functions. */
  placeOf(fn: RegisteredFunction): { template: string; methods: string[] } | undefined {
    const route = this.#routes.find((known) => known.fn === fn);
    return route && { template: route.template, methods: [...route.methods] };
  }

  match(method: string, pathname: string): RouteMatch | undefined {
    const parts = splitPath(pathname);
    if (parts === undefined) return undefined;
    for (const route of this.#routes) {
      if (!route.methods.has(method)) continue;
      const params = matchSegments(route.segments, parts);
      if (params !== undefined) return { fn: route.fn, params };
    }
    return undefined;
  }

  #parse(fn: RegisteredFunction, prefix: string, settings: Settings): Route {
    const route = fn.trigger.route;
    const given = typeof route === 'string' && route !== '' ? route : fn.name;
    const own = expandSettings(given, settings, `Function '${fn.name}', route`).replace(/^\/+|\/+$/g, '');
    if (/^(admin|runtime)/i.test(own)) {
      throw new Error(
        `Function '${fn.name}': the route '${own}' starts with a reserved word (admin, runtime), which Azure refuses. Give it another route.`,
      );
    }
    const template = [prefix, own].filter((part) => part !== '').join('/');
    const methods = Array.isArray(fn.trigger.methods) ? fn.trigger.methods : ['GET', 'POST'];
    return {
      fn,
      template,
      segments: splitTemplate(template).map((segment) => parseSegment(segment, fn.name)),
      methods: new Set(methods.map((method) => String(method).toUpperCase())),
    };
  }

  #refuseConflict(route: Route): void {
    const other = this.#routes.find(
      (known) => known.template.toLowerCase() === route.template.toLowerCase() && shareMethod(known, route),
    );
    if (other !== undefined) {
      throw new Error(
        `Function '${route.fn.name}': the route '${route.template}' and method are already taken by function '${other.fn.name}'. Azure would leave this function out.`,
      );
    }
  }

  #warnIfShadowed(route: Route): void {
    const sample = route.segments.map((segment) => segment.literal);
    if (sample.some((literal) => literal === undefined)) return;
    const shadow = this.#routes.find(
      (known) => shareMethod(known, route) && matchSegments(known.segments, sample as string[]) !== undefined,
    );
    if (shadow !== undefined) {
      this.warnings.push(
        `Function '${route.fn.name}' is never reached at '${route.template}': '${shadow.fn.name}' (${shadow.template}) comes first in name order and matches too.`,
      );
    }
  }
}

export const inNameOrder = (functions: readonly RegisteredFunction[]): RegisteredFunction[] =>
  [...functions].sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));

/** @throws for a name Azure refuses, and for two names that differ only in case. */
export function checkNames(functions: readonly RegisteredFunction[]): void {
  const seen = new Set<string>();
  for (const { name } of functions) {
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,127}$/.test(name) || name.toLowerCase() === 'host') {
      throw new Error(
        `'${name}' is not a valid function name: a letter, then at most 127 letters, digits, '_' or '-', and not 'host'.`,
      );
    }
    if (seen.has(name.toLowerCase())) throw new Error(`Two functions are named '${name}' (case is ignored).`);
    seen.add(name.toLowerCase());
  }
}

const shareMethod = (a: Route, b: Route): boolean => [...a.methods].some((method) => b.methods.has(method));

function splitPath(pathname: string): string[] | undefined {
  try {
    return pathname
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
  } catch {
    return undefined; // not valid percent-encoding: no route
  }
}

/** Splits at slashes outside braces: a constraint such as `regex(a/b)` may hold one. */
function splitTemplate(template: string): string[] {
  return template.split(/\/(?![^{]*\})/).filter((segment) => segment !== '');
}

function matchSegments(
  segments: readonly Segment[],
  parts: readonly string[],
): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  let index = 0;
  for (const segment of segments) {
    if (segment.literal !== undefined) {
      if (parts[index]?.toLowerCase() !== segment.literal.toLowerCase()) return undefined;
      index += 1;
      continue;
    }
    const value = segment.catchAll ? parts.slice(index).join('/') : parts[index];
    if (value === undefined || value === '') {
      if (!segment.optional) return undefined;
      if (segment.whenMissing !== undefined && segment.name !== undefined)
        params[segment.name] = segment.whenMissing;
      continue;
    }
    if (!segment.tests.every((test) => test(value))) return undefined;
    if (segment.name !== undefined) params[segment.name] = value;
    index = segment.catchAll ? parts.length : index + 1;
  }
  return index >= parts.length ? params : undefined;
}

function parseSegment(text: string, functionName: string): Segment {
  if (!text.includes('{')) return { literal: text, optional: false, catchAll: false, tests: [] };
  const match =
    /^\{(\*{0,2})([A-Za-z_][\w-]*)((?::[a-z]+(?:\(.*?\))?(?=[:=?}]))*)(?:=([^}]*))?(\?)?\}$/i.exec(text);
  if (match === null) {
    throw new Error(
      `Function '${functionName}': the route segment '${text}' is not supported here; use whole segments such as 'text', '{name}', '{name:int}', '{name?}' or '{*rest}'.`,
    );
  }
  const [, stars = '', name = '', rules = '', whenMissing, optional] = match;
  return {
    name,
    optional: optional !== undefined || whenMissing !== undefined || stars !== '',
    catchAll: stars !== '',
    ...(whenMissing !== undefined && { whenMissing }),
    tests: [...rules.matchAll(/:([a-z]+)(?:\((.*?)\)(?=:|$))?/gi)].map(([, rule = '', argument = '']) =>
      constraint(rule.toLowerCase(), argument, functionName),
    ),
  };
}

const patterns: Record<string, RegExp> = {
  int: /^[+-]?\d+$/,
  long: /^[+-]?\d+$/,
  guid: /^\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i,
  bool: /^(?:true|false)$/i,
  alpha: /^[a-z]*$/i,
  decimal: /^[+-]?\d+(?:\.\d+)?$/,
  double: /^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i,
  float: /^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i,
  required: /./,
};

function constraint(rule: string, argument: string, functionName: string): (value: string) => boolean {
  const pattern = patterns[rule];
  const [first = Number.NaN, second = first] = argument.split(',').map(Number);
  if (rule === 'int')
    return (value) => patterns.int?.test(value) === true && Math.abs(Number(value)) <= 2 ** 31;
  if (pattern !== undefined) return (value) => pattern.test(value);
  switch (rule) {
    case 'datetime':
      return (value) => !Number.isNaN(Date.parse(value));
    case 'length':
      return ({ length }) => length >= first && length <= second;
    case 'minlength':
      return ({ length }) => length >= first;
    case 'maxlength':
      return ({ length }) => length <= first;
    case 'min':
      return (value) => patterns.long?.test(value) === true && Number(value) >= first;
    case 'max':
      return (value) => patterns.long?.test(value) === true && Number(value) <= first;
    case 'range':
      return (value) =>
        patterns.long?.test(value) === true && Number(value) >= first && Number(value) <= second;
    case 'regex': {
      const expression = new RegExp(argument, 'i');
      return (value) => expression.test(value);
    }
    default:
      throw new Error(`Function '${functionName}': the route constraint '${rule}' is unknown.`);
  }
}
