import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** What of a built file counts here. */
export interface Script {
  fileName: string;
  code: string;
  imports: readonly string[];
  isEntry: boolean;
  facadeModuleId: string | null;
}

const FIRST_PAGE = '/overview/OverviewPage.tsx';
/** Bytes, compressed with gzip. */
const MOST = 250_000;

/** The scripts that are loaded until the first page stands: the entry, the page, and what they import. */
export function firstLoaded(scripts: readonly Script[]): Script[] {
  const byName = new Map(scripts.map(script => [script.fileName, script]));
  const loaded = new Set(
    scripts.filter(script => script.isEntry || script.facadeModuleId?.endsWith(FIRST_PAGE)),
  );
  // A set goes on with what is added to it while it is gone through.
  for (const script of loaded)
    for (const name of script.imports) {
      const imported = byName.get(name);
      if (imported) loaded.add(imported);
    }
  return [...loaded];
}

export const compressed = (scripts: readonly Script[]): number =>
  scripts.reduce((sum, script) => sum + gzipSync(script.code).length, 0);

/** Fails the build of an application whose first page has become heavy. */
export function firstLoad(most = MOST): Plugin {
  return {
    name: 'first-load',
    apply: 'build',
    writeBundle(_options, bundle) {
      const scripts = Object.values(bundle).filter(file => file.type === 'chunk');
      const loaded = firstLoaded(scripts);
      if (!loaded.some(script => script.facadeModuleId?.endsWith(FIRST_PAGE)))
        this.error(`There is no ${FIRST_PAGE} to measure.`);
      const size = compressed(loaded);
      const words = `First load: ${Math.ceil(size / 1000)} kB of script compressed, at most ${most / 1000} kB.`;
      if (size > most) this.error(words);
      this.info(words);
    },
  };
}
