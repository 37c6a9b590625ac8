import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['{shared,admin,user}/{,src/**/}*.test.ts'], environment: 'node' },
});
