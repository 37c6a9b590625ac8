import react from '@vitejs/plugin-react';
import type { UserConfig } from 'vite';
import { compress } from './compress.ts';
import { firstLoad } from './first-load.ts';

/**
 * How both applications are built: everything in files of its own, since the policy of the backend
 * allows no inline script, and no asset as a data: URL but images.
 * `npm run dev` sends API calls to a running backend, DASHBOARD_URL.
 */
export function application(backend: string): UserConfig {
  const target = process.env['DASHBOARD_URL'] ?? backend;
  return {
    plugins: [react(), firstLoad(), compress()],
    publicDir: '../shared/public',
    build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
    server: { proxy: { '/api': target, '/sign-in/oidc': target, '/sign-in/callback': target } },
  };
}
