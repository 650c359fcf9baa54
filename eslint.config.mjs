import tseslint from 'typescript-eslint';

/** Globals that would make a decision depend on when and where it runs. An import rule cannot see them. */
const impureGlobals = ['Date', 'crypto', 'process', 'performance', 'setTimeout', 'setInterval', 'fetch'];

export default tseslint.config(
  { ignores: ['dist/', '.local/', 'node_modules/', '**/*.mjs', '**/*.cjs'] },
  {
    files: ['**/*.ts'],
    plugins: { '@typescript-eslint': tseslint.plugin },
    languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true } },
    rules: {
      'no-var': 'error',
      'prefer-const': 'error',
      eqeqeq: ['error', 'always'],
      'no-fallthrough': 'error',
      'no-unused-vars': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/only-throw-error': 'error',
    },
  },
  {
    files: ['domain/**/*.ts', 'functions/workflows/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...impureGlobals.filter((name) => name !== 'Date')],
      'no-restricted-syntax': [
        'error',
        { selector: "MemberExpression[object.name='Date']", message: 'The time comes in as an argument.' },
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: 'The time comes in as an argument.',
        },
      ],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random' }],
    },
  },
);
