import { describe, expect, it } from 'vitest';
import type { RegisteredFunction } from '../protocol.ts';
import { Routes } from '../routes.ts';

const fn = (name: string, route: string, methods = ['GET']): RegisteredFunction => {
  const trigger = { type: 'httpTrigger', direction: 'in', name: 'request', route, methods };
  return { id: name, name, bindings: { request: trigger }, trigger };
};
const routes = (...functions: RegisteredFunction[]) => new Routes(functions, 'api', {});

describe('routes', () => {
  it.each([
    ['x/{id:int}', '/api/x/12', { id: '12' }],
    ['x/{id:int}', '/api/x/1a', undefined],
    ['x/{id:int}', '/api/x/99999999999', undefined],
    [
      'x/{id:guid}',
      '/api/x/3f2504e0-4f89-11d3-9a0c-0305e82c3301',
      { id: '3f2504e0-4f89-11d3-9a0c-0305e82c3301' },
    ],
    ['x/{id:guid}', '/api/x/3f2504e0', undefined],
    ['x/{id:length(2,3)}', '/api/x/abcd', undefined],
    ['x/{id:range(1,5)}', '/api/x/5', { id: '5' }],
    ['x/{id:range(1,5)}', '/api/x/6', undefined],
    ['x/{id:regex(^a/?b$)}', '/api/x/ab', { id: 'ab' }],
    ['x/{id:alpha:minlength(2)}', '/api/x/a', undefined],
    ['x/{id?}', '/api/x', {}],
    ['x/{id=7}', '/api/x', { id: '7' }],
    ['x/{*rest}', '/api/x/a/b', { rest: 'a/b' }],
    ['x/{*rest}', '/api/x', {}],
    ['x/{id}/y', '/API/X/a%2Fb/Y', { id: 'a/b' }],
    ['x/{id}', '/api/x/a/b', undefined],
    ['x/{id}', '/api/x/%E0%A4%A', undefined],
  ])('%s against %s', (template, pathname, params) => {
    expect(routes(fn('one', template)).match('GET', pathname)?.params).toEqual(params);
  });

  it('let another method through to a later function', () => {
    const both = routes(fn('a', 'x/{id}', ['GET']), fn('b', 'x/{id}', ['POST']));
    expect(both.match('POST', '/api/x/1')?.fn.name).toBe('b');
    expect(both.match('PUT', '/api/x/1')).toBeUndefined();
  });

  it('are refused when a segment or constraint is not understood', () => {
    expect(() => routes(fn('a', 'x/{id}.json'))).toThrow(/is not supported here/);
    expect(() => routes(fn('a', 'x/{id:even}'))).toThrow(/constraint 'even' is unknown/);
  });
});
