import { describe, expect, it } from 'vitest';
import { interpreterOf } from '../library/interpreter.ts';

const of = (content: string | Buffer, exists: (path: string) => boolean = () => true) =>
  interpreterOf(Buffer.from(content), 'script', exists);

describe('interpreter of a script', () => {
  it.each([
    ['echo x', '/bin/bash', []],
    ['', '/bin/bash', []],
    ['# a comment\n', '/bin/bash', []],
    ['#!/bin/sh\n', '/bin/sh', []],
    ['#! /usr/bin/bash -eu\n', '/bin/bash', ['-eu']],
    ['#!/usr/bin/env bash\n', '/bin/bash', []],
    ['#!/usr/bin/env python3\n', '/bin/python3', []],
    ['#!/usr/local/bin/python3 -u', '/bin/python3', ['-u']],
  ])('%j: %s %j', (content, program, options) => {
    expect(of(content)).toEqual({ program, options });
  });

  it('is the one that exists', () => {
    expect(of('#!/usr/bin/env python3', (path) => path.startsWith('/usr/bin/')).program).toBe(
      '/usr/bin/python3',
    );
    expect(() => of('#!/bin/bash', () => false)).toThrow(/needs bash/);
  });

  it.each([
    '#!/usr/bin/perl',
    '#!/tmp/bash',
    '#!/bin/../tmp/bash',
    '#!bash',
    '#!',
    '#!/usr/bin/env -S bash -x',
    '#!/usr/bin/env PATH=/tmp bash',
    '#!/usr/bin/env constructor',
    '#!/bin/bash -c id',
    '#!/bin/bash --rcfile',
    '#!/bin/bash -s',
    '#!/bin/bash\r\n',
    '\ufeff#!/bin/bash',
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0x02, 0x00]),
  ])('refuses %j', (content) => {
    expect(() => of(content)).toThrow(expect.objectContaining({ code: 'INTERPRETER_REFUSED' }));
  });
});
