import { notImitated } from '../errors.ts';
import { ExpressionParser } from './expressionParser.ts';
import { syntaxError } from './lexer.ts';
import {
  type Expression,
  type Field,
  type Ordering,
  type Query,
  type Selection,
  type Source,
} from './syntax.ts';
import { TokenReader } from './tokenReader.ts';
import { checkQuery, selectedExpressions } from './queryRules.ts';
import { usesAggregate } from './walk.ts';

/** Parses a query. Throws 400 with the place for wrong syntax, and with a name for what is not imitated. */
export function parseQuery(sql: string): Query {
  const parser = new QueryParser(new TokenReader(sql));
  return parser.whole();
}

/** Parses the condition of a conditional patch: `FROM c WHERE …`, or only what stands behind WHERE. */
export function parseCondition(text: string): Query {
  return parseQuery(/^\s*from\s/i.test(text) ? `SELECT * ${text}` : `SELECT * FROM c WHERE ${text}`);
}

interface Level {
  readonly isOuter: boolean;
  /** Names that expressions start from. They are known only after FROM, but needed before it, in the selection. */
  readonly roots: string[];
}

class QueryParser {
  readonly #reader: TokenReader;
  readonly #expressions: ExpressionParser;
  #level: Level = { isOuter: true, roots: [] };

  constructor(reader: TokenReader) {
    this.#reader = reader;
    this.#expressions = new ExpressionParser(
      reader,
      () => this.#subquery(),
      (root) => this.#level.roots.push(root),
    );
  }

  whole(): Query {
    const query = this.#query();
    const [stranger] = this.#level.roots;
    if (stranger !== undefined) throw syntaxError(stranger);
    return query;
  }

  #subquery(): Query {
    const outer = this.#level;
    this.#level = { isOuter: false, roots: [] };
    const query = this.#query();
    outer.roots.push(...this.#level.roots);
    this.#level = outer;
    if (query.orderBy.length > 0) throw notImitated('ORDER BY in a subquery');
    return query;
  }

  #query(): Query {
    const reader = this.#reader;
    const { roots } = this.#level;
    reader.need('SELECT');
    const distinct = reader.accept('DISTINCT');
    const top = reader.accept('TOP') ? this.#constant() : undefined;
    const selection = this.#selection();
    const sources = reader.accept('FROM') ? this.#sources() : [];
    const where = reader.accept('WHERE') ? this.#expressions.expression() : undefined;
    const groupBy = reader.accept('GROUP') ? this.#groupBy() : [];
    const orderBy = reader.accept('ORDER') ? this.#ordering(sources) : [];
    let offset: Expression | undefined;
    let limit: Expression | undefined;
    if (reader.accept('OFFSET')) {
      offset = this.#constant();
      reader.need('LIMIT');
      limit = this.#constant();
    }
    if (this.#level.isOuter && reader.token().kind !== 'end') reader.fail();
    const aliases = new Set(sources.map((source) => source.alias));
    const strangers = roots.filter((root) => !aliases.has(root));
    roots.splice(0, roots.length, ...strangers);
    const query: Query = {
      ...{ selection, distinct, sources, where, groupBy, orderBy, top, offset, limit },
      aggregates: selectedExpressions(selection).some(usesAggregate),
    };
    checkQuery(query);
    return query;
  }

  #selection(): Selection {
    const reader = this.#reader;
    if (reader.accept('*')) return { kind: 'all' };
    if (reader.accept('VALUE')) return { kind: 'value', expression: this.#expressions.expression() };
    const fields: Field[] = [];
    let unnamed = 0;
    do {
      const expression = this.#expressions.expression();
      const name = reader.accept('AS') || reader.token().kind === 'name' ? reader.name() : nameOf(expression);
      if (name === undefined) unnamed += 1;
      fields.push({ name: name ?? `$${unnamed}`, expression });
    } while (reader.accept(','));
    return { kind: 'fields', fields };
  }

  #sources(): Source[] {
    const sources = this.#source(true);
    while (this.#reader.accept('JOIN')) sources.push(...this.#source(false));
    if (this.#reader.peek(',')) throw notImitated('FROM with a list (use JOIN)');
    return sources;
  }

  /** Only the first source of the outermost query names the container; the others begin at an alias. */
  #source(isFirst: boolean): Source[] {
    const reader = this.#reader;
    const namesContainer = isFirst && this.#level.isOuter;
    if (reader.peek('(')) {
      const of = this.#expressions.primary();
      reader.accept('AS');
      return [{ kind: 'value', alias: reader.name(), of }];
    }
    if (reader.peek('IN', 1)) {
      const alias = reader.name();
      reader.need('IN');
      const of = this.#collection();
      if (!namesContainer || of.kind !== 'property') return [{ kind: 'elements', alias, of }];
      return [
        { kind: 'container', alias: of.root, isHidden: true },
        { kind: 'elements', alias, of },
      ];
    }
    const path = this.#collection();
    if (path.kind !== 'property') return reader.fail();
    const hasAlias = reader.accept('AS') || reader.token().kind === 'name';
    const alias = hasAlias ? reader.name() : String(path.path.at(-1) ?? path.root);
    if (!namesContainer) return [{ kind: 'value', alias, of: path }];
    if (path.path.length === 0) {
      // The container is known by its alias only, and this one use of its name is no use of an alias.
      this.#level.roots.splice(this.#level.roots.lastIndexOf(path.root), 1);
      return [{ kind: 'container', alias, isHidden: false }];
    }
    return [
      { kind: 'container', alias: path.root, isHidden: true },
      { kind: 'value', alias, of: path },
    ];
  }

  /** `c.list` or `(SELECT VALUE …)`: a subquery gives its rows as a list. */
  #collection(): Expression {
    const isSubquery = this.#reader.peek('(') && this.#reader.peek('SELECT', 1);
    if (!isSubquery) return this.#expressions.path();
    const of = this.#expressions.primary();
    return of.kind === 'subquery' ? { ...of, as: 'array' } : of;
  }

  #groupBy(): Expression[] {
    this.#reader.need('BY');
    const keys: Expression[] = [];
    do keys.push(this.#expressions.expression());
    while (this.#reader.accept(','));
    return keys;
  }

  #ordering(sources: readonly Source[]): Ordering[] {
    const reader = this.#reader;
    reader.need('BY');
    const orderings: Ordering[] = [];
    do {
      const expression = this.#expressions.expression();
      const isProperty = expression.kind === 'property' && expression.path.length > 0;
      if (!isProperty || expression.root !== sources[0]?.alias) {
        throw notImitated('ORDER BY anything but a property of the item');
      }
      const descending = reader.accept('DESC');
      if (!descending) reader.accept('ASC');
      orderings.push({ expression, descending });
    } while (reader.accept(','));
    return orderings;
  }

  #constant(): Expression {
    const { kind } = this.#reader.token();
    if (kind !== 'number' && kind !== 'parameter') this.#reader.fail();
    return this.#expressions.primary();
  }
}

function nameOf(expression: Expression): string | undefined {
  if (expression.kind !== 'property') return undefined;
  const last = expression.path.at(-1) ?? expression.root;
  return typeof last === 'string' ? last : undefined;
}
