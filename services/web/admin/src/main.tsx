import '@llm-platform/shared/styles.css';
import { start } from '@llm-platform/shared';
import { KeyRound } from 'lucide-react';

start({
  product: 'Administration',
  otherLabel: 'My keys and usage',
  navigation: [{ items: [{ label: 'Keys', to: '/keys', icon: KeyRound, needs: ['GET /api/keys'] }] }],
  pages: [{ path: 'keys', lazy: () => import('./keys/KeysPage') }],
});
