import { application } from '../shared/vite.ts';

export default application('http://127.0.0.1:3001');
