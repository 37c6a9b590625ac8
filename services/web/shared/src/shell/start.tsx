import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { ModalsHost } from '../feedback/ModalsHost';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode, useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import { createBrowserRouter, RouterProvider, type RouteObject } from 'react-router';
import { NotFound, RouteFailure } from '../feedback/RouteFailure';
import { activity } from '../live/activity';
import { queryClient } from '../query/client';
import { DONE_PATH } from '../session/oidc';
import { SessionGate } from '../session/SessionGate';
import { SignedInPage } from '../session/SignedInPage';
import { SignInPage } from '../session/SignInPage';
import { styleNonce } from '../theme/nonce';
import { theme, variables } from '../theme/theme';
import type { NavigationGroup } from './navigation';
import { Shell } from './Shell';

/** The key that public/color-scheme.js reads before anything is drawn. */
const colorSchemeManager = localStorageColorSchemeManager({ key: 'color-scheme' });

export interface ApplicationOptions {
  product: string;
  navigation: readonly NavigationGroup[];
  /** The other dashboard, as it is called in the menu. */
  otherLabel: string;
  /** The pages, each loaded when it is opened: {path: 'keys', lazy: () => import('./keys/KeysPage')}. */
  pages: RouteObject[];
}

/** Draws an application into #root. */
export function start({ product, navigation, otherLabel, pages }: ApplicationOptions): void {
  const router = createBrowserRouter([
    { path: '/sign-in', element: <SignInPage product={product} />, errorElement: <RouteFailure /> },
    { path: DONE_PATH, element: <SignedInPage /> },
    {
      path: '/',
      element: (
        <SessionGate product={product}>
          <Shell product={product} navigation={navigation} otherLabel={otherLabel} />
        </SessionGate>
      ),
      errorElement: <RouteFailure />,
      hydrateFallbackElement: <></>,
      children: [
        {
          errorElement: <RouteFailure />,
          children: [
            ...pages,
            { path: 'account', lazy: () => import('../account/AccountPage') },
            { path: '*', element: <NotFound /> },
          ],
        },
      ],
    },
  ]);
  createRoot(document.getElementById('root')!).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <MantineProvider
          theme={theme}
          cssVariablesResolver={variables}
          getStyleNonce={styleNonce}
          defaultColorScheme="auto"
          colorSchemeManager={colorSchemeManager}
        >
          <Watcher />
          <Notifications position="bottom-right" limit={4} />
          <ModalsHost />
          <RouterProvider router={router} />
        </MantineProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}

/** Pauses live updates when nobody is here, and catches up when somebody is back. */
function Watcher() {
  useEffect(() => {
    const stop = activity.watch(window);
    const forget = activity.subscribe(() => {
      if (activity.isActive()) void queryClient.refetchQueries({ type: 'active', stale: true });
    });
    return () => {
      forget();
      stop();
    };
  }, []);
  return null;
}
